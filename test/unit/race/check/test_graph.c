/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

#include "base/rng.h"
#include "race/check/cycle.h"
#include "race/check/path.h"
#include "race/check/scc.h"

#define NODES  7u
#define ROUNDS 20000u

/* A small graph as a matrix of sets of classes. */
struct tiny_graph {
	uint32_t nodes;
	unsigned edge[NODES][NODES];
};

static void emit(struct graph_maker *m, const void *arg)
{
	const struct tiny_graph *t = arg;

	for (uint32_t a = 0; a < t->nodes; a++) {
		for (uint32_t b = 0; b < t->nodes; b++) {
			for (unsigned c = 0; c < GRAPH_FAN; c++) {
				if ((t->edge[a][b] & GRAPH_BIT(c)) != 0)
					graph_edge(m, a, b, (enum graph_class)c);
			}
		}
	}
}

static void tiny_random(struct tiny_graph *t, struct rng *rng)
{
	const uint64_t density = 1 + pawl__rng_below(rng, 4);

	*t = (struct tiny_graph){ .nodes = 2 + (uint32_t)pawl__rng_below(rng, NODES - 1) };
	for (uint32_t a = 0; a < t->nodes; a++) {
		for (uint32_t b = 0; b < t->nodes; b++) {
			if (pawl__rng_below(rng, 10) >= density)
				continue;
			/* Extra edges lead forward: they are an order. */
			t->edge[a][b] |= GRAPH_BIT(pawl__rng_below(rng, a < b ? 4 : 3));
			if (pawl__rng_below(rng, 4) == 0)
				t->edge[a][b] |= GRAPH_BIT(pawl__rng_below(rng, a < b ? 4 : 3));
		}
	}
}

/* Who reaches whom with edges of some classes. */
static void closure(const struct tiny_graph *t, unsigned classes, bool reach[NODES][NODES])
{
	for (uint32_t a = 0; a < t->nodes; a++) {
		for (uint32_t b = 0; b < t->nodes; b++)
			reach[a][b] = a != b && (t->edge[a][b] & classes) != 0;
	}
	for (uint32_t k = 0; k < t->nodes; k++) {
		for (uint32_t a = 0; a < t->nodes; a++) {
			for (uint32_t b = 0; b < t->nodes; b++)
				reach[a][b] = reach[a][b] || (reach[a][k] && reach[k][b]);
		}
	}
}

static void test_components(void **state)
{
	struct rng rng;

	(void)state;
	rng_init(&rng, 1);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		const unsigned classes = 1 + (unsigned)pawl__rng_below(&rng, 15);
		bool reach[NODES][NODES];
		struct tiny_graph t;
		struct graph g;
		struct scc s;

		tiny_random(&t, &rng);
		closure(&t, classes, reach);
		assert_int_equal(pawl__graph_make(&g, t.nodes, 0, emit, &t), PAWL_OK);
		assert_true(pawl__scc_init(&s, g.nodes));
		pawl__scc_run(&s, &g, classes);
		for (uint32_t a = 0; a < t.nodes; a++) {
			for (uint32_t b = 0; b < t.nodes; b++) {
				const bool same = a == b || (reach[a][b] && reach[b][a]);

				assert_true(same == (s.comp[a] == s.comp[b]));
				if (reach[a][b] && !same)
					assert_true(s.comp[a] > s.comp[b]);
			}
			assert_true(s.comp[a] < s.comps);
		}
		pawl__scc_deinit(&s);
		pawl__graph_deinit(&g);
	}
}

/* What simple cycles a graph has, found by walking all of them: bits by kind, extra ones 8 higher;
 * the worst class of an edge counts. */
enum { K_G0, K_G1C, K_GSI, K_GNI, K_G2I, KINDS };

struct walk {
	const struct tiny_graph *t;
	uint32_t path[NODES];
	unsigned cls[NODES];
	uint32_t len;
	unsigned on; /* nodes on the path */
	uint32_t shortest[2][KINDS];
};

static unsigned worst(unsigned set)
{
	for (unsigned c = 0; c < GRAPH_CLASSES; c++) {
		if ((set & GRAPH_BIT(c)) != 0)
			return c;
	}
	return GRAPH_CLASSES;
}

static void walked(struct walk *w)
{
	unsigned n[GRAPH_CLASSES] = { 0 }, kind;
	bool beside = false;

	for (uint32_t i = 0; i < w->len; i++) {
		n[w->cls[i]]++;
		beside = beside || (w->cls[i] == GRAPH_RW && w->cls[(i + 1) % w->len] == GRAPH_RW);
	}
	kind = n[GRAPH_RW] == 1  ? K_GSI
	       : n[GRAPH_RW] > 1 ? (beside ? K_G2I : K_GNI)
	       : n[GRAPH_WR] > 0 ? K_G1C
	                         : K_G0;
	if (w->len < w->shortest[n[GRAPH_EXTRA] > 0][kind])
		w->shortest[n[GRAPH_EXTRA] > 0][kind] = w->len;
}

static void walk_on(struct walk *w);

static void walk_over(struct walk *w, uint32_t to, unsigned cls)
{
	w->cls[w->len - 1] = cls;
	if (to == w->path[0]) {
		walked(w);
	} else if ((w->on >> to & 1) == 0) {
		w->path[w->len++] = to;
		w->on |= GRAPH_BIT(to);
		walk_on(w);
		w->on &= ~(GRAPH_BIT(to));
		w->len--;
	}
}

/* Over the worst class of an edge; over an extra one too where that is rw. */
static void walk_on(struct walk *w)
{
	const uint32_t at = w->path[w->len - 1];

	for (uint32_t to = w->path[0]; to < w->t->nodes; to++) {
		const unsigned set = w->t->edge[at][to], cls = worst(set);

		if (cls == GRAPH_CLASSES || at == to)
			continue;
		walk_over(w, to, cls);
		if (cls == GRAPH_RW && (set & GRAPH_BIT(GRAPH_EXTRA)) != 0)
			walk_over(w, to, GRAPH_EXTRA);
	}
}

static void walk_all(struct walk *w, const struct tiny_graph *t)
{
	*w = (struct walk){ .t = t };
	memset(w->shortest, 0xff, sizeof(w->shortest));
	for (uint32_t a = 0; a < t->nodes; a++) {
		w->path[0] = a;
		w->len = 1;
		w->on = GRAPH_BIT(a);
		walk_on(w);
	}
}

static void explain(const void *arg, uint32_t a, uint32_t b, enum graph_class cls,
                    struct check_step *step)
{
	const struct tiny_graph *t = arg;

	assert_int_equal(worst(t->edge[a][b]), cls);
	step->key = 0;
}

/* Whether the whole graph is one component: then each kind is found once or not at all. */
static bool connected(const struct tiny_graph *t)
{
	bool reach[NODES][NODES];

	closure(t, GRAPH_ALL, reach);
	for (uint32_t a = 0; a < t->nodes; a++) {
		for (uint32_t b = 0; b < t->nodes; b++) {
			if (a != b && !reach[a][b])
				return false;
		}
	}
	return true;
}

static const enum found_kind kinds[KINDS] = { FOUND_G0, FOUND_G1C, FOUND_GSI, FOUND_GNI,
	                                      FOUND_G2I };

/* A kind is looked for unless one that was found is worse. */
static void expected(const struct walk *w, bool want[2][KINDS])
{
	for (unsigned x = 0; x < 2; x++) {
		const bool *base = want[0];

		for (unsigned k = 0; k < KINDS; k++)
			want[x][k] = w->shortest[x][k] != UINT32_MAX;
		want[x][K_G1C] = want[x][K_G1C] && !want[x][K_G0];
		want[x][K_GNI] = want[x][K_GNI] && !want[x][K_GSI];
		want[x][K_G2I] = want[x][K_G2I] && !want[x][K_GSI] && !want[x][K_GNI];
		if (x == 0)
			continue;
		want[x][K_G0] = want[x][K_G0] && !base[K_G0];
		want[x][K_G1C] = want[x][K_G1C] && !base[K_G0] && !base[K_G1C];
		want[x][K_GSI] = want[x][K_GSI] && !base[K_GSI];
		want[x][K_GNI] = want[x][K_GNI] && !base[K_GSI] && !base[K_GNI];
		want[x][K_G2I] = want[x][K_G2I] && !base[K_GSI] && !base[K_GNI] && !base[K_G2I];
	}
}

static void compare(const struct walk *w, const struct found *f)
{
	bool want[2][KINDS];

	expected(w, want);
	for (unsigned x = 0; x < 2; x++) {
		for (unsigned k = 0; k < KINDS; k++) {
			const enum found_kind kind = kinds[k] + (x == 0 ? 0 : GRAPH_REALTIME);

			if ((f->count[kind] == 1) != want[x][k])
				fail_msg("kind %u, extra %u: %u found", k, x,
				         (unsigned)f->count[kind]);
			if (want[x][k])
				assert_int_equal(f->witnesses[kind][0].steps_len,
				                 w->shortest[x][k]);
		}
	}
}

static void test_cycles(void **state)
{
	static const struct history none = { 0 };
	uint32_t judged = 0;
	struct rng rng;

	(void)state;
	rng_init(&rng, 2);
	for (uint32_t round = 0; round < ROUNDS * 5; round++) {
		struct tiny_graph t;
		struct walk w;
		struct graph g;
		struct check_result r;
		struct found f;
		struct cycle_job job = { .g = &g,
			                 .extra = GRAPH_REALTIME,
			                 .explain = explain,
			                 .arg = &t,
			                 .steps = 1000000 };
		uint64_t steps;
		bool ran_out;

		tiny_random(&t, &rng);
		if (!connected(&t))
			continue;
		judged++;
		walk_all(&w, &t);
		assert_int_equal(pawl__graph_make(&g, t.nodes, 0, emit, &t), PAWL_OK);
		pawl__check_result_init(&r);
		pawl__found_init(&f, &none, &r);
		assert_int_equal(pawl__cycle_find(&job, &f, &steps, &ran_out), PAWL_OK);
		assert_false(ran_out);
		compare(&w, &f);
		pawl__found_deinit(&f);
		pawl__check_result_deinit(&r);
		pawl__graph_deinit(&g);
	}
	assert_true(judged > 1000);
}

/* A ring of n transactions, every other edge wr: one G-nonadjacent-item as long as the ring. */
static void ring_emit(struct graph_maker *m, const void *arg)
{
	const uint32_t n = *(const uint32_t *)arg;

	for (uint32_t i = 0; i < n; i++)
		graph_edge(m, i, (i + 1) % n, i % 2 == 0 ? GRAPH_RW : GRAPH_WR);
}

static void ring_explain(const void *arg, uint32_t a, uint32_t b, enum graph_class cls,
                         struct check_step *step)
{
	(void)arg;
	(void)a;
	(void)b;
	(void)cls;
	step->key = 0;
}

static void ring_run(uint32_t n, uint64_t steps, bool want_ran_out)
{
	static const struct history none = { 0 };
	struct graph g;
	struct check_result r;
	struct found f;
	struct cycle_job job = { .g = &g, .explain = ring_explain, .steps = steps };
	uint64_t used;
	bool ran_out;

	assert_int_equal(pawl__graph_make(&g, n, 0, ring_emit, &n), PAWL_OK);
	pawl__check_result_init(&r);
	pawl__found_init(&f, &none, &r);
	assert_int_equal(pawl__cycle_find(&job, &f, &used, &ran_out), PAWL_OK);
	assert_true(ran_out == want_ran_out);
	assert_int_equal(f.count[FOUND_GNI], 1);
	assert_int_equal(f.count[FOUND_GSI], 0);
	assert_int_equal(f.witnesses[FOUND_GNI][0].steps_len, n);
	pawl__found_deinit(&f);
	pawl__check_result_deinit(&r);
	pawl__graph_deinit(&g);
}

/* Steps that run out make the same of it, and say so. */
static void test_ring(void **state)
{
	(void)state;
	ring_run(1000, 10000, false);
	ring_run(20000, 100000000, false);
	ring_run(20000, 100000, true);
}

static void realtime_emit(struct graph_maker *m, const void *arg)
{
	const struct history *h = arg;

	(void)pawl__graph_extra(m, h, GRAPH_REALTIME, h->ops_len, NULL);
}

static bool *reach_from(const struct graph *g, uint32_t start)
{
	bool *seen = calloc(g->nodes, sizeof(*seen));
	uint32_t *stack = calloc(g->nodes + 1, sizeof(*stack)), len = 0;

	assert_non_null(seen);
	assert_non_null(stack);
	stack[len++] = start;
	while (len > 0) {
		const uint32_t v = stack[--len];

		for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
			if (!seen[g->to[e]])
				stack[len++] = g->to[e];
			seen[g->to[e]] = true;
		}
	}
	free(stack);
	return seen;
}

static void realtime_check(const char *text, size_t len)
{
	const struct history_options ho = { .lists = HISTORY_LISTS_AUTO };
	char *bytes = calloc(1, len + HISTORY_SLACK);
	struct history *h = NULL;
	struct pawl_error err = { 0 };
	struct graph g;

	assert_non_null(bytes);
	memcpy(bytes, text, len);
	if (pawl__history_read(bytes, len, &ho, &h, &err) != PAWL_OK)
		fail_msg("%s", err.text);
	free(bytes);
	assert_int_equal(pawl__graph_make(&g, h->ops_len, pawl__graph_barriers(h, GRAPH_REALTIME),
	                                  realtime_emit, h),
	                 PAWL_OK);
	for (uint32_t a = 0; a < h->ops_len; a++) {
		bool *seen = reach_from(&g, a);

		for (uint32_t b = 0; b < h->ops_len; b++)
			assert_true(seen[b] == (h->type[a] == HT_OK && h->ret[a] < h->inv[b]));
		free(seen);
	}
	pawl__graph_deinit(&g);
	pawl__history_free(h);
}

/* Real time: barriers order exactly those that the events order. */
static void test_realtime(void **state)
{
	struct rng rng;

	(void)state;
	rng_init(&rng, 3);
	for (uint32_t round = 0; round < 2000; round++) {
		char text[4096];
		uint32_t open[4] = { HISTORY_NONE, HISTORY_NONE, HISTORY_NONE, HISTORY_NONE };
		size_t len = 0;

		for (uint32_t i = 0; i < 16; i++) {
			const unsigned p = (unsigned)pawl__rng_below(&rng, 4);
			const bool begins = open[p] == HISTORY_NONE;

			len += (size_t)snprintf(text + len, sizeof(text) - len,
			                        "{:type :%s, :process %u, :f :txn, :value "
			                        "[[:append %u 1]]}\n",
			                        begins ? "invoke" : "ok", p, begins ? i : open[p]);
			open[p] = begins ? i : HISTORY_NONE;
		}
		realtime_check(text, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_components),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_realtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
