/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_gen KIND N SEED [CLIENTS [CRASH]] > FILE - the inputs of `make bench` for pawl check: what
 * clients of a simulated database saw. The same arguments give the same bytes.
 *
 *   la-ssi, la-si, la-brat   N transactions of appends and reads, as EDN: under strict
 *                            serializability; under snapshot isolation (first committer wins, the
 *                            others fail); under nothing at all (every operation at its own time,
 *                            some reads of old versions)
 *   rw                       N transactions of unique writes and reads, strictly serializable
 *   cas, cas-bad             N operations on one register, CRASH per mille of which never end; bad:
 *                            the last read saw what nobody wrote
 *   etcd                     one register log of N lines, good or bad by its seed
 *   kv, kv-bad               N appends and gets of ten keys
 *   plume                    N reads and writes with unique values, ten a transaction, 50 sessions
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/num.h"
#include "base/rng.h"

#define CLIENTS_MAX 64
#define MOPS_MAX    4
#define SLOTS       10 /* keys in use at one time */
#define KEY_WRITES  32 /* then a key is done */
#define NEVER       UINT32_MAX

struct key {
	uint32_t values[KEY_WRITES];
	uint32_t len;    /* committed */
	uint32_t issued; /* values handed out */
};

struct mop {
	uint32_t key, value; /* value 0: a read */
	uint32_t seen;       /* elements that were there at the beginning, or when it ran */
};

struct client {
	bool busy;
	uint32_t process, len, at;
	struct mop mops[MOPS_MAX];
	uint32_t f, a, b; /* of a register */
};

struct world {
	struct rng rng;
	struct client clients[CLIENTS_MAX];
	uint32_t clients_len, crash;
	uint32_t processes; /* handed out */
	struct key *keys;
	uint32_t keys_len, keys_cap;
	uint32_t slots[SLOTS];
	uint64_t index;
};

static uint32_t below(struct world *w, uint32_t n)
{
	return (uint32_t)pawl__rng_below(&w->rng, n);
}

static uint32_t key_new(struct world *w)
{
	if (w->keys_len == w->keys_cap) {
		w->keys_cap = w->keys_cap == 0 ? 64 : w->keys_cap * 2;
		w->keys = realloc(w->keys, w->keys_cap * sizeof(*w->keys));
		if (w->keys == NULL)
			abort();
	}
	w->keys[w->keys_len] = (struct key){ 0 };
	return w->keys_len++;
}

static void world_init(struct world *w, uint64_t seed, uint32_t clients, uint32_t crash)
{
	*w = (struct world){ .clients_len = clients, .crash = crash };
	rng_init(&w->rng, seed);
	for (uint32_t i = 0; i < SLOTS; i++)
		w->slots[i] = key_new(w);
	for (uint32_t i = 0; i < clients; i++)
		w->clients[i].process = w->processes++;
}

/* Half of all operations go to the first key, half of the rest to the second, .. */
static uint32_t slot_pick(struct world *w)
{
	const uint64_t bits = pawl__rng_next(&w->rng) | 1U << (SLOTS - 1);

	return (uint32_t)__builtin_ctzll(bits);
}

static void txn_plan(struct world *w, struct client *c)
{
	c->len = 1 + below(w, MOPS_MAX);
	c->at = 0;
	for (uint32_t i = 0; i < c->len; i++) {
		const uint32_t slot = slot_pick(w);
		struct mop *m = &c->mops[i];
		struct key *key = &w->keys[w->slots[slot]];

		*m = (struct mop){ .key = w->slots[slot], .seen = key->len };
		if (below(w, 2) == 0)
			continue;
		m->value = ++key->issued;
		if (key->issued == KEY_WRITES)
			w->slots[slot] = key_new(w);
	}
}

static void event_begin(struct world *w, const char *type, const struct client *c)
{
	(void)printf("{:index %llu, :type :%s, :process %u, :f :txn, :value [",
	             (unsigned long long)w->index++, type, c->process);
}

static void txn_print(struct world *w, const char *type, const struct client *c, bool reads)
{
	event_begin(w, type, c);
	for (uint32_t i = 0; i < c->len; i++) {
		const struct mop *m = &c->mops[i];
		const struct key *key = &w->keys[m->key];
		const char *gap = "";

		if (i > 0)
			(void)putchar(' ');
		if (m->value != 0) {
			(void)printf("[:append %u %u]", m->key, m->value);
			continue;
		}
		(void)printf("[:r %u ", m->key);
		if (!reads) {
			(void)fputs("nil]", stdout);
			continue;
		}
		(void)putchar('[');
		for (uint32_t k = 0; k < m->seen; k++, gap = " ")
			(void)printf("%s%u", gap, key->values[k]);
		/* What it appended itself comes behind its snapshot. */
		for (uint32_t k = 0; k < i && c->at == NEVER; k++) {
			if (c->mops[k].key != m->key || c->mops[k].value == 0)
				continue;
			(void)printf("%s%u", gap, c->mops[k].value);
			gap = " ";
		}
		(void)fputs("]]", stdout);
	}
	(void)fputs("]}\n", stdout);
}

static void append(struct world *w, const struct mop *m)
{
	struct key *key = &w->keys[m->key];

	key->values[key->len++] = m->value;
}

/* All at once, now. */
static void commit_ssi(struct world *w, struct client *c)
{
	for (uint32_t i = 0; i < c->len; i++) {
		c->mops[i].seen = w->keys[c->mops[i].key].len;
		if (c->mops[i].value != 0)
			append(w, &c->mops[i]);
	}
	txn_print(w, "ok", c, true);
}

/* Reads are those of the beginning; whoever wrote a key since then wins. */
static void commit_si(struct world *w, struct client *c)
{
	for (uint32_t i = 0; i < c->len; i++) {
		if (c->mops[i].value != 0 && w->keys[c->mops[i].key].len != c->mops[i].seen) {
			txn_print(w, "fail", c, false);
			return;
		}
	}
	c->at = NEVER; /* it sees its own */
	txn_print(w, "ok", c, true);
	for (uint32_t i = 0; i < c->len; i++) {
		if (c->mops[i].value != 0)
			append(w, &c->mops[i]);
	}
}

/* One operation at a time, true when it was the last. */
static bool step_brat(struct world *w, struct client *c)
{
	struct mop *m = &c->mops[c->at];

	m->seen = w->keys[m->key].len;
	if (m->value != 0)
		append(w, m);
	else if (below(w, 10) == 0)
		m->seen = below(w, m->seen + 1);
	if (++c->at < c->len)
		return false;
	txn_print(w, "ok", c, true);
	return true;
}

enum isolation { SSI, SI, BRAT };

static void list_append(struct world *w, uint64_t n, enum isolation how)
{
	uint32_t busy = 0;

	for (uint64_t begun = 0; begun < n || busy > 0;) {
		struct client *c = &w->clients[below(w, w->clients_len)];

		if (!c->busy) {
			if (begun == n)
				continue;
			begun++;
			txn_plan(w, c);
			txn_print(w, "invoke", c, false);
			c->busy = true;
			busy++;
			continue;
		}
		if (how == BRAT && !step_brat(w, c))
			continue;
		if (how == SSI)
			commit_ssi(w, c);
		else if (how == SI)
			commit_si(w, c);
		c->busy = false;
		busy--;
	}
}

/* Registers in transactions: `values` has the last of each key's, len 0 is none. */
static void rw_print(struct world *w, const char *type, const struct client *c, bool reads)
{
	event_begin(w, type, c);
	for (uint32_t i = 0; i < c->len; i++) {
		const struct mop *m = &c->mops[i];

		(void)printf(i == 0 ? "[" : " [");
		if (m->value != 0)
			(void)printf(":w %u %u]", m->key, m->value);
		else if (!reads || m->seen == 0)
			(void)printf(":r %u nil]", m->key);
		else
			(void)printf(":r %u %u]", m->key, m->seen);
	}
	(void)fputs("]}\n", stdout);
}

static void rw(struct world *w, uint64_t n)
{
	uint32_t busy = 0;

	for (uint64_t begun = 0; begun < n || busy > 0;) {
		struct client *c = &w->clients[below(w, w->clients_len)];

		if (!c->busy && begun == n)
			continue;
		if (!c->busy) {
			begun++;
			txn_plan(w, c);
			rw_print(w, "invoke", c, false);
			c->busy = true;
			busy++;
			continue;
		}
		for (uint32_t i = 0; i < c->len; i++) {
			struct mop *m = &c->mops[i];
			struct key *key = &w->keys[m->key];

			m->seen = key->values[0];
			if (m->value != 0)
				key->values[0] = m->value;
		}
		rw_print(w, "ok", c, true);
		c->busy = false;
		busy--;
	}
}

/* One register: f 0 read, 1 write, 2 cas */

static void cas_event(const struct client *c, const char *type, bool etcd)
{
	static const char *const names[] = { "read", "write", "cas" };

	if (etcd)
		(void)printf("INFO  jepsen.util - %u\t:%s\t:%s\t", c->process, type, names[c->f]);
	else
		(void)printf("{:process %u, :type :%s, :f :%s, :value ", c->process, type,
		             names[c->f]);
	if (c->f == 2)
		(void)printf("[%u %u]", c->a, c->b);
	else if (c->a == NEVER)
		(void)fputs("nil", stdout);
	else
		(void)printf("%u", c->a);
	(void)fputs(etcd ? "\n" : "}\n", stdout);
}

static void cas_begin(struct world *w, struct client *c, bool etcd)
{
	c->f = below(w, 3);
	c->a = c->f == 0 ? NEVER : below(w, 5);
	c->b = below(w, 5);
	c->at = 0; /* has not taken effect */
	cas_event(c, "invoke", etcd);
	c->busy = true;
}

/* When it takes effect is another moment than when it ends: at is 1 then, 2 if it failed. */
static void cas_effect(struct client *c, uint32_t *value)
{
	c->at = 1;
	if (c->f == 0)
		c->a = *value;
	else if (c->f == 1)
		*value = c->a;
	else if (*value == c->a)
		*value = c->b;
	else
		c->at = 2;
}

/* A client whose operation never ends; whether it had an effect nobody learns. */
static void cas_crash(struct world *w, struct client *c, uint32_t *value, bool etcd)
{
	if (below(w, 2) == 0 && c->f != 0)
		cas_effect(c, value);
	if (c->f == 0)
		c->a = NEVER;
	if (below(w, 2) == 0)
		cas_event(c, "info", etcd);
	c->process = w->processes++;
	c->busy = false;
}

/* true: the operation is over. */
static bool cas_step(struct world *w, struct client *c, uint32_t *value, bool etcd)
{
	if (c->at == 0 && below(w, 1000) < w->crash) {
		cas_crash(w, c, value, etcd);
		return true;
	}
	if (c->at == 0) {
		cas_effect(c, value);
		return false;
	}
	cas_event(c, c->at == 1 ? "ok" : "fail", etcd);
	c->busy = false;
	return true;
}

static void cas(struct world *w, uint64_t n, bool bad, bool etcd)
{
	uint32_t value = NEVER, busy = 0;
	uint64_t begun = 0;

	while (begun < n || busy > 0) {
		struct client *c = &w->clients[below(w, w->clients_len)];

		if (!c->busy && begun < n) {
			begun++;
			busy++;
			cas_begin(w, c, etcd);
		} else if (c->busy && cas_step(w, c, &value, etcd)) {
			busy--;
		}
	}
	if (!bad)
		return;
	w->clients[0].f = 0;
	w->clients[0].a = NEVER;
	cas_event(&w->clients[0], "invoke", etcd);
	w->clients[0].a = 9;
	cas_event(&w->clients[0], "ok", etcd);
}

/* Texts that grow: a get sees all that was appended before. */

struct text {
	char *at;
	size_t len, cap;
};

static void text_add(struct text *t, const char *s)
{
	const size_t len = strlen(s);

	if (t->len + len + 1 > t->cap) {
		t->cap = (t->len + len + 1) * 2;
		t->at = realloc(t->at, t->cap);
		if (t->at == NULL)
			abort();
	}
	memcpy(t->at + t->len, s, len + 1);
	t->len += len;
}

static void kv_event(const struct client *c, const char *type, const char *value)
{
	(void)printf("{:process %u, :type :%s, :f :%s, :key \"%u\", :value %s%s%s}\n", c->process,
	             type, c->f == 0 ? "get" : "append", c->a, value == NULL ? "" : "\"",
	             value == NULL ? "nil" : value, value == NULL ? "" : "\"");
}

static void kv(struct world *w, uint64_t n, bool bad)
{
	struct text texts[SLOTS] = { 0 };
	char own[CLIENTS_MAX][40];
	uint32_t busy = 0;

	for (uint32_t k = 0; k < SLOTS; k++)
		text_add(&texts[k], "");
	for (uint64_t begun = 0; begun < n || busy > 0;) {
		const uint32_t i = below(w, w->clients_len);
		struct client *c = &w->clients[i];

		if (!c->busy && begun == n)
			continue;
		if (!c->busy) {
			c->f = below(w, 2);
			c->a = below(w, SLOTS);
			(void)snprintf(own[i], sizeof(own[i]), "x %u %llu y", i,
			               (unsigned long long)begun++);
			kv_event(c, "invoke", c->f == 0 ? NULL : own[i]);
			c->busy = true;
			busy++;
			continue;
		}
		if (c->f != 0)
			text_add(&texts[c->a], own[i]);
		kv_event(c, "ok", c->f == 0 ? texts[c->a].at : own[i]);
		c->busy = false;
		busy--;
	}
	if (bad) {
		struct client *c = &w->clients[0];

		c->f = 0;
		c->a = 0;
		kv_event(c, "invoke", NULL);
		kv_event(c, "ok", "x 0 never y");
	}
	for (uint32_t k = 0; k < SLOTS; k++)
		free(texts[k].at);
}

/* Serial: one transaction after another, of whichever session. */
static void plume(struct world *w, uint64_t n)
{
	enum { KEYS = 1000, SESSIONS = 50, OPS = 10 };
	static uint32_t last[KEYS];
	uint64_t txn = 1, value = 0;

	for (uint32_t k = 0; k < KEYS; k++) {
		last[k] = (uint32_t)++value;
		(void)printf("w(%u,%u,0,0)\n", k, last[k]);
	}
	for (uint64_t i = 0; i < n; txn++) {
		const uint32_t session = 1 + below(w, SESSIONS);

		for (uint32_t k = 0; k < OPS && i < n; k++, i++) {
			const uint32_t key = below(w, KEYS);
			const bool write = below(w, 2) == 0;

			if (write)
				last[key] = (uint32_t)++value;
			(void)printf("%c(%u,%u,%u,%llu)\n", write ? 'w' : 'r', key, last[key],
			             session, (unsigned long long)txn);
		}
	}
}

static bool run(struct world *w, const char *kind, uint64_t n)
{
	if (strcmp(kind, "la-ssi") == 0)
		list_append(w, n, SSI);
	else if (strcmp(kind, "la-si") == 0)
		list_append(w, n, SI);
	else if (strcmp(kind, "la-brat") == 0)
		list_append(w, n, BRAT);
	else if (strcmp(kind, "rw") == 0)
		rw(w, n);
	else if (strcmp(kind, "cas") == 0 || strcmp(kind, "cas-bad") == 0)
		cas(w, n, strcmp(kind, "cas-bad") == 0, false);
	else if (strcmp(kind, "etcd") == 0)
		cas(w, n, pawl__rng_below(&w->rng, 2) == 0, true);
	else if (strcmp(kind, "kv") == 0 || strcmp(kind, "kv-bad") == 0)
		kv(w, n, strcmp(kind, "kv-bad") == 0);
	else if (strcmp(kind, "plume") == 0)
		plume(w, n);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	struct world w;
	uint64_t v[4] = { 0, 0, 10, 0 };
	bool ok = argc >= 4 && argc <= 6;

	for (int i = 2; i < argc && ok; i++)
		ok = pawl__num_parse_u64(pawl__str_of(argv[i]), &v[i - 2]);
	if (!ok || v[2] == 0 || v[2] > CLIENTS_MAX || v[3] > 1000) {
		(void)fprintf(stderr, "usage: check_gen KIND N SEED [CLIENTS [CRASH]]\n");
		return 2;
	}
	world_init(&w, v[1], (uint32_t)v[2], (uint32_t)v[3]);
	ok = run(&w, argv[1], v[0]);
	free(w.keys);
	if (!ok)
		(void)fprintf(stderr, "check_gen: no such kind\n");
	return ok && fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : 2;
}
