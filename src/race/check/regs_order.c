/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "race/check/regs.h"
#include "race/check/scc.h"

#define EDGES_FIRST ((uint64_t)1024)

static enum pawl_status edge_add(struct regs *x, uint32_t before, uint32_t after)
{
	if (before == after)
		return PAWL_OK;
	if (x->edges == x->edges_cap) {
		const uint64_t cap = x->edges_cap == 0 ? EDGES_FIRST : x->edges_cap * 2;
		uint32_t *p;

		if (x->edges >= GRAPH_EDGES_MAX)
			return PAWL_E_TOO_LARGE;
		p = realloc(x->before, cap * sizeof(*p));
		if (p == NULL)
			return PAWL_E_NOMEM;
		x->before = p;
		p = realloc(x->after, cap * sizeof(*p));
		if (p == NULL)
			return PAWL_E_NOMEM;
		x->after = p;
		x->edges_cap = cap;
	}
	x->before[x->edges] = before;
	x->after[x->edges++] = after;
	return PAWL_OK;
}

/* A row's dealings with a key that others can see. */
struct access {
	uint32_t row, key;
	uint32_t first; /* version that it saw, or made when it saw none */
	uint32_t last;  /* version that it made, or saw when it made none */
};

struct accesses {
	struct access *at; /* by row */
	uint32_t len;
	uint32_t *mine; /* by key: of the row at hand, its place in at */
};

static bool accesses_make(const struct regs *x, struct accesses *a)
{
	const struct history *h = x->h;

	a->at = malloc(((size_t)h->mops_len + 1) * sizeof(*a->at));
	a->mine = malloc(((size_t)h->keys_len + 1) * sizeof(*a->mine));
	if (a->at == NULL || a->mine == NULL)
		return false;
	memset(a->mine, 0xff, ((size_t)h->keys_len + 1) * sizeof(*a->mine));
	for (uint32_t i = 0; i < h->ops_len; i++) {
		const uint32_t end = h->mop_first[i] + h->mop_len[i];

		if (!graph_has_row(h, i))
			continue;
		for (uint32_t m = h->mop_first[i]; m < end; m++) {
			uint32_t *mine = &a->mine[h->mop_key[m]];

			if ((x->flags[m] & REGS_EXTERNAL) == 0 || x->version[m] == REGS_NONE)
				continue;
			if (*mine == REGS_NONE || *mine >= a->len || a->at[*mine].row != i) {
				*mine = a->len;
				a->at[a->len++] = (struct access){ i, h->mop_key[m], x->version[m],
					                           x->version[m] };
			}
			/* The read, if any, comes before the write. */
			a->at[*mine].last = x->version[m];
		}
	}
	return true;
}

static enum pawl_status initial_edges(struct regs *x)
{
	enum pawl_status st = PAWL_OK;

	for (uint32_t v = x->h->keys_len; v < x->versions && st == PAWL_OK; v++) {
		/* What only a failed row wrote and nobody read is no version. */
		if (x->writer[v] != REGS_NONE || x->first[v] < x->first[v + 1])
			st = edge_add(x, x->key[v], v);
	}
	return st;
}

/* Writes follow reads within a transaction. */
static enum pawl_status wfr_edges(struct regs *x, const struct accesses *a)
{
	enum pawl_status st = PAWL_OK;

	for (uint32_t i = 0; i < a->len && st == PAWL_OK; i++) {
		if (x->h->type[a->at[i].row] == HT_OK && !regs_is_initial(x, a->at[i].first))
			st = edge_add(x, a->at[i].first, a->at[i].last);
	}
	return st;
}

static int by_process(const void *pa, const void *pb, void *arg)
{
	const struct regs *x = arg;
	const struct history *h = x->h;
	const struct access *a = pa, *b = pb;

	if (h->process[a->row] != h->process[b->row])
		return h->process[a->row] < h->process[b->row] ? -1 : 1;
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

/* Within a process, a key's versions come in the order in which it met them. */
static enum pawl_status sequential_edges(struct regs *x, struct accesses *a)
{
	const struct history *h = x->h;
	enum pawl_status st = PAWL_OK;

	qsort_r(a->at, a->len, sizeof(*a->at), by_process, x);
	for (uint32_t i = 0; i < a->len && st == PAWL_OK; i++) {
		const struct access *one = &a->at[i], *two = one + 1;

		/* What did not complete may take effect later than what its process did next. */
		if (i + 1 < a->len && two->key == one->key && h->type[one->row] == HT_OK &&
		    h->process[two->row] == h->process[one->row])
			st = edge_add(x, one->last, two->first);
	}
	return st;
}

static int by_key(const void *pa, const void *pb)
{
	const struct access *a = pa, *b = pb;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

/* The first access of the key from i on that began after `time`. */
static uint32_t begun_after(const struct regs *x, const struct accesses *a, uint32_t i,
                            uint32_t time)
{
	const uint32_t key = a->at[i].key;
	uint32_t lo = i + 1, hi = a->len;

	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (a->at[mid].key == key && x->h->inv[a->at[mid].row] <= time)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* What completed before the next began: to those next with nothing in between. */
static enum pawl_status linearizable_edges(struct regs *x, struct accesses *a)
{
	const struct history *h = x->h;
	enum pawl_status st = PAWL_OK;

	qsort(a->at, a->len, sizeof(*a->at), by_key);
	for (uint32_t i = 0; i < a->len && st == PAWL_OK; i++) {
		const struct access *one = &a->at[i];
		uint32_t until = HISTORY_NEVER;

		if (h->type[one->row] != HT_OK)
			continue;
		for (uint32_t j = begun_after(x, a, i, h->ret[one->row]);
		     j < a->len && a->at[j].key == one->key && h->inv[a->at[j].row] < until &&
		     st == PAWL_OK;
		     j++) {
			const uint32_t row = a->at[j].row;

			/* Without an invocation nobody knows when it began. */
			if (h->inv[row] == h->ret[row])
				continue;
			st = edge_add(x, one->last, a->at[j].first);
			until = h->ret[row] < until ? h->ret[row] : until;
		}
	}
	return st;
}

static void emit(struct graph_maker *m, const void *arg)
{
	const struct regs *x = arg;

	for (uint64_t i = 0; i < x->edges; i++)
		graph_edge(m, x->before[i], x->after[i], GRAPH_WW);
}

/* The rows that show a loop of versions: who wrote or read them. */
static void found_loop(struct regs *x, struct found *f, const struct scc *s, uint32_t one,
                       const char *source)
{
	uint32_t rows[FOUND_ROWS_MAX], n = 0;

	for (uint32_t v = 0; v < x->versions && n + 1 < FOUND_ROWS_MAX; v++) {
		if (s->comp[v] != s->comp[one])
			continue;
		if (x->first[v] < x->first[v + 1])
			rows[n++] = x->reader[x->first[v]];
		if (regs_has_writer(x, v))
			rows[n++] = x->writer[v];
	}
	INVARIANT(n > 0);
	pawl__found_say(f, "versions%K that these saw come before themselves, by ", x->key[one]);
	pawl__found_say(f, source);
	pawl__found_rows(f, FOUND_CYCLIC_VERSIONS, rows, n);
}

/* Loops of versions are counted, then the edges from `kept` on are forgotten. */
static enum pawl_status loops(struct regs *x, struct found *f, uint64_t kept, const char *source)
{
	struct graph g;
	struct scc s;
	uint32_t *size;
	bool any = false;
	enum pawl_status st = pawl__graph_make(&g, x->versions, 0, emit, x);

	if (st != PAWL_OK)
		return st;
	size = calloc((size_t)x->versions + 1, sizeof(*size));
	if (!pawl__scc_init(&s, g.nodes) || size == NULL) {
		pawl__scc_deinit(&s);
		pawl__graph_deinit(&g);
		free(size);
		return PAWL_E_NOMEM;
	}
	pawl__scc_run(&s, &g, GRAPH_ALL);
	for (uint32_t v = 0; v < x->versions; v++) {
		if (++size[s.comp[v]] != 2)
			continue;
		any = true;
		found_loop(x, f, &s, v, source);
	}
	if (any) {
		x->edges = kept;
		x->left_out++;
	}
	pawl__scc_deinit(&s);
	pawl__graph_deinit(&g);
	free(size);
	return PAWL_OK;
}

static enum pawl_status sources(struct regs *x, struct found *f, struct accesses *a)
{
	enum pawl_status st = initial_edges(x);
	uint64_t kept = x->edges;

	if (st == PAWL_OK && x->o->wfr_keys) {
		st = wfr_edges(x, a);
		if (st == PAWL_OK)
			st = loops(x, f, kept, "writes that follow reads");
	}
	kept = x->edges;
	if (st == PAWL_OK && x->o->sequential_keys && x->h->has_process) {
		st = sequential_edges(x, a);
		if (st == PAWL_OK)
			st = loops(x, f, kept, "the order of each process");
	}
	kept = x->edges;
	if (st == PAWL_OK && x->o->linearizable_keys && x->h->has_realtime) {
		st = linearizable_edges(x, a);
		if (st == PAWL_OK)
			st = loops(x, f, kept, "real time");
	}
	return st;
}

enum pawl_status pawl__regs_order(struct regs *x, struct found *f)
{
	struct accesses a = { 0 };
	enum pawl_status st = accesses_make(x, &a) ? sources(x, f, &a) : PAWL_E_NOMEM;

	free(a.at);
	free(a.mine);
	x->led = calloc((size_t)x->versions + 1, 1);
	if (st == PAWL_OK && x->led == NULL)
		st = PAWL_E_NOMEM;
	for (uint64_t i = 0; st == PAWL_OK && i < x->edges; i++) {
		if (regs_has_writer(x, x->before[i]))
			x->led[x->after[i]] = 1;
	}
	return st == PAWL_OK ? pawl__graph_make(&x->order, x->versions, 0, emit, x) : st;
}
