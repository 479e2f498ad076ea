/* SPDX-License-Identifier: Apache-2.0 */
#include "gen_history.h"

#include <stdio.h>
#include <stdlib.h>

/* A transaction under way. */
struct session {
	bool open;
	uint32_t op;   /* in the history */
	uint32_t done; /* mops that were carried out */
	uint64_t sees; /* commits */
	uint64_t own;  /* commits of this session, and of causal: all it ever saw */
	uint32_t process;
};

struct sim {
	struct gen_history *g;
	const struct gen_shape *shape;
	struct rng *rng;
	uint32_t log[GEN_OPS]; /* ops in the order of commits */
	uint64_t saw[GEN_OPS]; /* by commit */
	uint32_t commits;
	uint32_t now, crashed;
	uint16_t value;
	struct session s[8];
};

static uint32_t below(struct rng *rng, uint32_t n)
{
	return (uint32_t)pawl__rng_below(rng, n);
}

static bool chance(struct rng *rng, uint32_t one_in)
{
	return below(rng, one_in) == 0;
}

static uint64_t all(const struct sim *m)
{
	return ((uint64_t)1 << m->commits) - 1;
}

/* What the key holds in the eyes of a transaction, its own writes before `mops` included. */
static void look(const struct sim *m, uint64_t sees, const struct gen_op *op, uint32_t mops,
                 struct gen_mop *ret)
{
	ret->len = 0;
	for (uint32_t c = 0; c <= m->commits; c++) {
		const struct gen_op *from = c == m->commits ? op : &m->g->op[m->log[c]];
		const uint32_t n = c == m->commits ? mops : from->mops;

		if (c < m->commits && (sees >> c & 1) == 0)
			continue;
		for (uint32_t i = 0; i < n; i++)
			if (from->mop[i].write && from->mop[i].key == ret->key &&
			    ret->len < GEN_LIST)
				ret->at[ret->len++] = from->mop[i].value;
	}
	ret->value = ret->len == 0 ? 0 : ret->at[ret->len - 1];
}

static void begin(struct sim *m, struct session *s)
{
	struct gen_op *op = &m->g->op[m->g->ops];

	s->open = true;
	s->op = m->g->ops++;
	s->done = 0;
	*op = (struct gen_op){ .process = s->process, .inv = m->now++, .ret = GEN_NEVER };
	op->mops = 1 + below(m->rng, m->shape->mops);
	for (uint32_t i = 0; i < op->mops; i++) {
		op->mop[i].write = chance(m->rng, 2);
		op->mop[i].key = below(m->rng, m->shape->keys);
		if (op->mop[i].write)
			op->mop[i].value = ++m->value;
	}
	s->sees = all(m);
	if (m->shape->db == GEN_CAUSAL) {
		s->sees = s->own;
		for (uint32_t c = 0; c < m->commits; c++)
			if (chance(m->rng, 3))
				s->sees |= (uint64_t)1 << c | m->saw[c];
		s->own = s->sees;
	}
	if (m->shape->db == GEN_READ_ATOMIC)
		s->sees = (s->sees & pawl__rng_next(m->rng)) | s->own;
}

static void advance(struct sim *m, struct session *s)
{
	struct gen_op *op = &m->g->op[s->op];
	struct gen_mop *mop = &op->mop[s->done];

	if (m->shape->db == GEN_COMMITTED)
		s->sees = all(m);
	if (!mop->write)
		look(m, s->sees, op, s->done, mop);
	s->done++;
}

static bool conflicts(const struct sim *m, const struct session *s)
{
	const struct gen_op *op = &m->g->op[s->op];

	for (uint32_t c = 0; c < m->commits; c++) {
		const struct gen_op *other = &m->g->op[m->log[c]];

		if ((s->sees >> c & 1) != 0)
			continue;
		for (uint32_t i = 0; i < op->mops; i++)
			for (uint32_t j = 0; j < other->mops; j++)
				if (op->mop[i].write && other->mop[j].write &&
				    op->mop[i].key == other->mop[j].key)
					return true;
	}
	return false;
}

static void install(struct sim *m, struct session *s)
{
	m->saw[m->commits] = s->sees;
	m->log[m->commits] = s->op;
	s->own |= (uint64_t)1 << m->commits++;
}

static void finish(struct sim *m, struct session *s)
{
	struct gen_op *op = &m->g->op[s->op];
	const bool snapshot = m->shape->db == GEN_SNAPSHOT;

	if (m->shape->db == GEN_SERIAL) {
		s->sees = all(m);
		for (s->done = 0; s->done < op->mops;)
			advance(m, s);
	}
	s->open = false;
	op->ret = m->now++;
	if ((snapshot && conflicts(m, s)) || (m->shape->crashes && chance(m->rng, 12))) {
		op->type = HT_FAIL;
		return;
	}
	op->type = HT_OK;
	if (m->shape->crashes && chance(m->rng, 12)) {
		op->type = HT_INFO;
		op->ret = chance(m->rng, 2) ? GEN_NEVER : op->ret;
		s->process += 8;
		/* A new session, that knows of nothing. */
		if (chance(m->rng, 2))
			install(m, s);
		s->own = 0;
		return;
	}
	install(m, s);
}

/* Somebody reads every key after all others. */
static void last_read(struct sim *m)
{
	struct gen_history *g = m->g;

	for (uint32_t k = 0; k < g->keys;) {
		struct gen_op *op = &g->op[g->ops++];

		*op = (struct gen_op){ .process = 7, .inv = m->now, .ret = m->now + 1 };
		m->now += 2;
		for (; k < g->keys && op->mops < GEN_MOPS; k++) {
			op->mop[op->mops].key = k;
			look(m, all(m), op, 0, &op->mop[op->mops++]);
		}
		install(m, &m->s[7]);
		m->log[m->commits - 1] = g->ops - 1;
	}
}

void gen_make(struct gen_history *g, const struct gen_shape *shape, struct rng *rng)
{
	struct sim m = { .g = g, .shape = shape, .rng = rng };
	const uint32_t ops = 1 + below(rng, shape->ops);
	bool open = true;

	*g = (struct gen_history){ .lists = shape->lists, .keys = shape->keys };
	for (uint32_t i = 0; i < 8; i++)
		m.s[i].process = i;
	while (open) {
		struct session *s = &m.s[below(rng, shape->processes)];

		if (!s->open && g->ops < ops)
			begin(&m, s);
		else if (s->open && s->done < g->op[s->op].mops && shape->db != GEN_SERIAL)
			advance(&m, s);
		else if (s->open)
			finish(&m, s);
		open = g->ops < ops;
		for (uint32_t i = 0; i < 8; i++)
			open |= m.s[i].open;
	}
	if (shape->last_read)
		last_read(&m);
}

bool gen_spoil(struct gen_history *g, struct rng *rng)
{
	struct gen_mop *read = NULL, other;
	uint32_t seen = 0;

	for (uint32_t i = 0; i < g->ops; i++)
		for (uint32_t j = 0; j < g->op[i].mops; j++)
			if (g->op[i].type == HT_OK && !g->op[i].mop[j].write && chance(rng, ++seen))
				read = &g->op[i].mop[j];
	if (read == NULL)
		return false;
	other = (struct gen_mop){ .key = read->key };
	seen = 1;
	/* What another read of the key returned, or the value of one write of it. */
	for (uint32_t i = 0; i < g->ops; i++)
		for (uint32_t j = 0; j < g->op[i].mops; j++) {
			const struct gen_mop *m = &g->op[i].mop[j];

			if (m->key != read->key || !chance(rng, ++seen))
				continue;
			other = *m;
			if (m->write) {
				other.len = 1;
				other.at[0] = m->value;
			}
		}
	read->value = other.value;
	read->len = other.len;
	for (uint32_t i = 0; i < other.len; i++)
		read->at[i] = other.at[i];
	return true;
}

/* ---- text ---- */

static void write_mop(const struct gen_history *g, const struct gen_mop *m, bool known,
                      struct buf *to)
{
	buf_str(to, m->write ? (g->lists ? STR("[:append ") : STR("[:w ")) : STR("[:r "));
	pawl__buf_u64(to, m->key);
	pawl__buf_putc(to, ' ');
	if (m->write) {
		pawl__buf_u64(to, m->value);
	} else if (!known || (!g->lists && m->value == 0)) {
		buf_lit(to, "nil");
	} else if (!g->lists) {
		pawl__buf_u64(to, m->value);
	} else {
		pawl__buf_putc(to, '[');
		for (uint32_t i = 0; i < m->len; i++) {
			if (i > 0)
				pawl__buf_putc(to, ' ');
			pawl__buf_u64(to, m->at[i]);
		}
		pawl__buf_putc(to, ']');
	}
	pawl__buf_putc(to, ']');
}

static void write_event(const struct gen_history *g, const struct gen_op *op, bool done,
                        struct buf *to)
{
	static const char *const types[] = { ":ok", ":fail", ":info" };

	buf_lit(to, "{:type ");
	buf_str(to, pawl__str_of(done ? types[op->type] : ":invoke"));
	buf_lit(to, ", :f :txn, :process ");
	pawl__buf_u64(to, op->process);
	buf_lit(to, ", :value [");
	for (uint32_t i = 0; i < op->mops; i++)
		write_mop(g, &op->mop[i], done && op->type == HT_OK, to);
	buf_lit(to, "]}\n");
}

void gen_write(const struct gen_history *g, struct buf *to)
{
	uint32_t end = 0;

	for (uint32_t i = 0; i < g->ops; i++) {
		end = g->op[i].inv >= end ? g->op[i].inv + 1 : end;
		if (g->op[i].ret != GEN_NEVER && g->op[i].ret >= end)
			end = g->op[i].ret + 1;
	}
	for (uint32_t t = 0; t < end; t++)
		for (uint32_t i = 0; i < g->ops; i++)
			if (g->op[i].inv == t || g->op[i].ret == t)
				write_event(g, &g->op[i], g->op[i].ret == t, to);
	if (pawl__buf_reserve(to, HISTORY_SLACK) != NULL)
		memset(to->data + to->len, 0, HISTORY_SLACK);
}

struct history *gen_read(const struct gen_history *g)
{
	const struct history_options o = { HISTORY_EDN,
		                           g->lists ? HISTORY_LISTS_AUTO : HISTORY_LISTS_OPAQUE };
	struct history *h = NULL;
	struct pawl_error err = { 0 };
	struct buf b;

	pawl__buf_init(&b, (size_t)4 << 20);
	gen_write(g, &b);
	if (pawl__history_read(b.data, b.len, &o, &h, &err) != PAWL_OK) {
		(void)fprintf(stderr, "%s\n", err.text);
		h = NULL;
	}
	pawl__buf_deinit(&b);
	return h;
}

void gen_print(const struct gen_history *g)
{
	struct buf b;

	pawl__buf_init(&b, (size_t)4 << 20);
	gen_write(g, &b);
	(void)fwrite(b.data, 1, b.len, stderr);
	pawl__buf_deinit(&b);
}

/* ---- shrinking ---- */

static bool without_op(struct gen_history *g, uint32_t i, gen_fails_fn fails, void *arg)
{
	static struct gen_history was;

	was = *g;
	memmove(&g->op[i], &g->op[i + 1], (g->ops - i - 1) * sizeof(g->op[0]));
	g->ops--;
	if (g->ops > 0 && fails(g, arg))
		return true;
	*g = was;
	return false;
}

static bool without_mop(struct gen_history *g, uint32_t i, uint32_t j, gen_fails_fn fails,
                        void *arg)
{
	static struct gen_op was;
	struct gen_op *op = &g->op[i];

	was = *op;
	memmove(&op->mop[j], &op->mop[j + 1], (op->mops - j - 1) * sizeof(op->mop[0]));
	op->mops--;
	if (op->mops > 0 && fails(g, arg))
		return true;
	*op = was;
	return false;
}

void gen_shrink(struct gen_history *g, gen_fails_fn fails, void *arg)
{
	bool smaller = true;

	while (smaller) {
		smaller = false;
		for (uint32_t i = g->ops; i-- > 0;)
			smaller |= without_op(g, i, fails, arg);
		for (uint32_t i = 0; i < g->ops; i++)
			for (uint32_t j = g->op[i].mops; j-- > 0;)
				smaller |= without_mop(g, i, j, fails, arg);
	}
}
