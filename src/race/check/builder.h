/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/builder - puts a history together while a reader walks through its file.
 *
 *     reader: words of its format -> struct event, values -> builder: rows, pairs, names
 *
 * Decides which invocation a completion belongs to, and which of the two says what was done. The
 * reader of the format decides what a value means, when the builder asks for it: an invocation's
 * value is only looked at when its completion does not tell.
 *
 * Errors: the first is kept as a place in the file and a text; readers then return NULL up to the
 * top. Memory: columns grow by doubling; nothing is allocated per operation.
 * Threads: one owner.
 */
#ifndef PAWL_RACE_CHECK_BUILDER_H
#define PAWL_RACE_CHECK_BUILDER_H

#include "race/check/history.h"
#include "race/check/table.h"

enum event_type { EVENT_UNSAID, EVENT_INVOKE, EVENT_OK, EVENT_FAIL, EVENT_INFO };

/* One line of a Jepsen history. */
struct event {
	const char *at; /* where it begins, for errors */
	enum event_type type;
	enum history_f f;
	bool has_f, has_process, has_key, has_time;
	bool skip;       /* no client: the nemesis */
	bool parsed;     /* its mops are the last of the builder, from mop_first on */
	int64_t process; /* its value */
	int64_t key;     /* the value of :key */
	int64_t time;
	const char *value; /* where its value begins; NULL or at "nil": none */
	uint32_t mop_first;
};

struct open_row {
	uint32_t row;
	const char *value; /* of the invocation */
	int64_t key;
	bool has_key;
	uint32_t below; /* of processes: the one begun before it that is open too, in `nested` */
};

struct open_stack {
	struct open_row *at;
	size_t len, cap;
};

struct builder;

/* Read the value at p as what an operation f did: adds mops, may change e->f to HF_TXN. ok: its
 * lists may become main lists. Returns the place behind it, NULL after an error. */
typedef const char *(*builder_value_fn)(struct builder *b, const char *p, struct event *e, bool ok);

/* Where the longest list of a key stands in the file, to compare before reading. */
struct list_text {
	const char *at;
	size_t len;
};

struct builder {
	struct history *h;
	const char *start, *end; /* of the file */
	const char *line_at;     /* lines are counted up to here */
	uint32_t line;
	enum history_lists lists;
	builder_value_fn value;

	size_t ops_cap, events_cap, mops_cap, keys_cap, names_cap, processes_cap, apart_cap;
	uint32_t *small_key;    /* key of the integers 0 .. BUILDER_SMALL - 1; HISTORY_NONE */
	struct table keys;      /* value -> key */
	struct table processes; /* value -> process */
	uint32_t *small_process;
	struct table names; /* hash of the text -> name; a hash of two texts goes on in `next` */
	uint32_t *name_next;
	struct list_text *text;            /* by key */
	struct open_row *open;             /* by process; row HISTORY_NONE */
	struct open_stack unnamed[HF_LEN]; /* open rows without a process, by f */
	int64_t *scratch;                  /* elements of a list that does not fit */
	size_t scratch_len, scratch_cap;
	int64_t session;          /* of formats with sessions */
	struct open_stack nested; /* open rows of processes that began another one */
	bool any;                 /* an event of anybody was seen */
	bool invoked;             /* an invocation was seen */
	bool named;               /* an event with a process was seen */
	bool unnamed_seen;

	const char *error_at;
	const char *error; /* static; the first */
	enum pawl_status status;
};

#define BUILDER_SMALL ((int64_t)1 << 16)

PAWL_MUST_CHECK enum pawl_status pawl__builder_init(struct builder *b, const char *bytes,
                                                    size_t len, const struct history_options *o,
                                                    struct pawl_error *err);
/* The rows that never completed, the counts. Fills err for whatever went wrong since init. On
 * success the history is the caller's. */
PAWL_MUST_CHECK enum pawl_status pawl__builder_finish(struct builder *b, struct history **ret,
                                                      struct pawl_error *err);
void pawl__builder_deinit(struct builder *b);

/* Keep the first error. Returns NULL, for `return pawl__builder_error(..)`. */
const char *pawl__builder_error(struct builder *b, enum pawl_status st, const char *at,
                                const char *text);

/* An event of a client or not. false: an error was kept. */
PAWL_MUST_CHECK bool pawl__builder_event(struct builder *b, struct event *e);

/* Transactions of formats without events. Their mops come between begin and end. */
PAWL_MUST_CHECK bool pawl__builder_txn_begin(struct builder *b, int64_t process, const char *at);
PAWL_MUST_CHECK bool pawl__builder_txn_end(struct builder *b, enum history_type type);

/* Numbers for values. HISTORY_NONE, VALUE_NIL + error kept: no room. */
uint32_t pawl__builder_key_slow(struct builder *b, int64_t value);
int64_t pawl__builder_name(struct builder *b, enum history_name_kind kind, struct str text);

PAWL_MUST_CHECK bool pawl__builder_mops_grow(struct builder *b);
PAWL_MUST_CHECK bool pawl__builder_lists_on(struct builder *b);

static inline uint32_t builder_key(struct builder *b, int64_t value)
{
	if (PAWL_LIKELY(value >= 0 && value < BUILDER_SMALL) && b->small_key[value] != HISTORY_NONE)
		return b->small_key[value];
	return pawl__builder_key_slow(b, value);
}

/* false: an error was kept. */
PAWL_MUST_CHECK static inline bool builder_mop(struct builder *b, enum history_f f, uint32_t key,
                                               int64_t value)
{
	struct history *h = b->h;

	if (PAWL_UNLIKELY(key == HISTORY_NONE))
		return false;
	if (PAWL_UNLIKELY(h->mops_len == b->mops_cap) && !pawl__builder_mops_grow(b))
		return false;
	h->mop_f[h->mops_len] = (uint8_t)f;
	h->mop_key[h->mops_len] = key;
	h->mop_val[h->mops_len] = value;
	if (h->mop_list != NULL)
		h->mop_list[h->mops_len] = 0;
	h->mops_len++;
	return true;
}

/*
 * A list that was read of `key`, element by element:
 *     list_begin -> list_push .. -> list_end, which adds the mop.
 * `at`: the file's text of the first element; where it repeats the key's longest list, begin counts
 * those elements as pushed and moves *at behind them.
 */
struct list_reader {
	struct history_list *main;
	uint32_t key;
	uint32_t matched; /* elements that are those of main */
	uint32_t begun;   /* length of main before */
	bool ok;          /* may lengthen main */
	bool apart;       /* elements are in scratch */
	const char *text; /* where the elements began */
};

PAWL_MUST_CHECK bool pawl__builder_list_begin(struct builder *b, struct list_reader *r,
                                              uint32_t key, bool ok, const char **at);
PAWL_MUST_CHECK bool pawl__builder_list_push_slow(struct builder *b, struct list_reader *r,
                                                  int64_t v);
/* end: behind the last element's text; NULL: the text is no good for comparing. */
PAWL_MUST_CHECK bool pawl__builder_list_end(struct builder *b, struct list_reader *r,
                                            const char *end);

PAWL_MUST_CHECK static inline bool builder_list_push(struct builder *b, struct list_reader *r,
                                                     int64_t v)
{
	if (!r->apart && r->matched < r->begun && r->main->at[r->matched] == v) {
		r->matched++;
		return true;
	}
	return pawl__builder_list_push_slow(b, r, v);
}

/* What a word stands for: "read", "r", "cas" ..; HF_OTHER. */
enum history_f pawl__builder_f(struct str word);
/* The mops of a transaction only: r, w, append, read, write; HF_OTHER for all else. */
enum history_f pawl__builder_mop_f(struct str word);
enum event_type pawl__builder_type(struct str word);

/*
 * [-+]?digits at p. Returns the place behind them; NULL when they are not a plain int64 (then the
 * reader looks closer). The byte behind is not looked at.
 */
static inline const char *scan_int(const char *p, int64_t *ret)
{
	const bool negative = *p == '-';
	uint64_t v = 0;
	const char *digits;

	if (negative || *p == '+')
		p++;
	digits = p;
	while ((unsigned char)(*p - '0') <= 9) {
		v = v * 10 + (unsigned char)(*p - '0');
		p++;
	}
	if (p == digits || p - digits > 18)
		return NULL;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return p;
}

#endif /* PAWL_RACE_CHECK_BUILDER_H */
