/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/history - a recorded history in memory, as columns.
 *
 *     file -> reader (one pass) -> struct history (never changed again) -> a checker per model
 *
 * One row per operation: a transaction, or one call of a register, lock, set .. A row begins at its
 * invocation; what it did (its micro-operations) is taken from its completion, or from its
 * invocation when it never completed or completed without a value. Micro-operations ("mops") of
 * all rows lie in one set of arrays, a row's own ones side by side.
 *
 * What an operation looks like (f of the row | its mops):
 *   transaction      HF_TXN | HF_READ key v, HF_WRITE key v, HF_APPEND key v, in program order
 *   read, get        HF_READ | one HF_READ key v; of a map {a 1, b 2} (bank): one HF_READ per entry
 *   write, put       HF_WRITE, HF_PUT | one of the same f: key v
 *   append, add      HF_APPEND, HF_ADD | one of the same f: key v
 *   cas [a b]        HF_CAS | HF_CAS key a, HF_CAS_TO key b
 *   transfer         HF_TRANSFER | HF_TRANSFER from amount, HF_TRANSFER_TO to amount
 *   acquire, release HF_ACQUIRE, HF_RELEASE | none
 *   anything else    HF_OTHER | one HF_OTHER key v when it has a value
 * The key is what `:key` or the micro-operation says; an operation without one has the key whose
 * value is nil. Whether a map or a collection is read that way is the value's doing, not f's.
 *
 * Invariants:
 *  (1) Rows stand in the order of their first event; a row's index is its name, T<index>.
 *  (2) inv[i] <= ret[i]; equal only when the file had no invocation. Never completed, or an info
 *      row (which may take effect at any later time, or never): ret is HISTORY_NEVER.
 *  (3) event[] has every invocation and every ok or fail completion of a client, in file order; of
 *      a row without invocation its completion alone (of an info row that as its invocation).
 *  (4) A list that an ok row read and that is a prefix of its key's main list is stored as its
 *      length alone. A key's main list is the longest chain of lists read by ok rows, each a prefix
 *      of the next, in file order; whatever does not fit is stored apart, in full.
 *  (5) A history without rows has at least an event of the nemesis; checkers are not asked then.
 *
 * Of an ok row the mops are those of its completion where that has a value, else of its invocation;
 * of a fail or info row those of its invocation where that has a value. Operations of processes
 * that are no numbers (:nemesis) are left out.
 *
 * It never judges: duplicates, unwritten values, reads of nothing are all stored as they are.
 * Owner: whoever read it frees it; checkers only read, from any number of threads.
 * Limits: HISTORY_*_MAX below; passing one is PAWL_E_TOO_LARGE.
 */
#ifndef PAWL_RACE_CHECK_HISTORY_H
#define PAWL_RACE_CHECK_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/str.h"
#include "pawl/error.h"

#define HISTORY_OPS_MAX   ((uint32_t)1 << 30) /* rows, and events */
#define HISTORY_MOPS_MAX  ((uint32_t)1 << 31)
#define HISTORY_KEYS_MAX  ((uint32_t)1 << 30)
#define HISTORY_NAMES_MAX ((uint32_t)1 << 30) /* values that are not integers */
#define HISTORY_BYTES_MAX ((size_t)64 << 30)  /* of the file */
#define HISTORY_TEXT_MAX  ((size_t)16 << 20)  /* bytes of one value */
#define HISTORY_LIST_MAX  ((uint32_t)1 << 28) /* elements of one list */
#define HISTORY_DEPTH_MAX 64                  /* brackets inside brackets */

#define HISTORY_NEVER     UINT32_MAX
#define HISTORY_NONE      UINT32_MAX

/*
 * A value is one int64_t, and two values are equal when these are:
 *   VALUE_NIL; an integer as itself; anything else (string, keyword, vector, boolean, an integer
 *   below VALUE_INT_MIN or beyond int64) as VALUE_NAME(index of its name).
 */
#define VALUE_NIL     INT64_MIN
#define VALUE_NAME(i) (INT64_MIN + 1 + (int64_t)(i))
#define VALUE_INT_MIN (INT64_MIN + ((int64_t)1 << 33))

static inline bool value_is_nil(int64_t v)
{
	return v == VALUE_NIL;
}

static inline bool value_is_int(int64_t v)
{
	return v >= VALUE_INT_MIN;
}

static inline bool value_is_name(int64_t v)
{
	return v != VALUE_NIL && v < VALUE_INT_MIN;
}

enum history_type { HT_OK, HT_FAIL, HT_INFO }; /* HT_INFO also for what never completed */

enum history_f {
	HF_OTHER,
	HF_TXN,
	HF_READ,
	HF_WRITE,
	HF_APPEND,
	HF_CAS,
	HF_CAS_TO, /* mops only */
	HF_PUT,
	HF_ADD,
	HF_TRANSFER,
	HF_TRANSFER_TO, /* mops only */
	HF_ACQUIRE,
	HF_RELEASE,
	HF_LEN
};

enum history_name_kind {
	NAME_STRING,
	NAME_KEYWORD,
	NAME_SYMBOL,
	NAME_NUMBER,
	NAME_BOOL,
	NAME_FORM
};

/* A value that is no integer. Of NAME_FORM (a collection as a value) the text is the form as
 * written, of NAME_STRING the bytes without quotes and escapes, of NAME_KEYWORD without ':'. */
struct history_name {
	struct str text; /* in the history's arena */
	enum history_name_kind kind;
};

/* Lists that were read of one key, see invariant 4. */
struct history_list {
	int64_t *at;
	uint32_t len, cap;
};

/* A list that is not a prefix of its key's main list. */
struct history_apart {
	const int64_t *at;
	uint32_t len;
};

enum history_format {
	HISTORY_AUTO,
	HISTORY_EDN,
	HISTORY_JSON,        /* lines of objects, or one array of them; pawl's own too */
	HISTORY_ETCD,        /* "INFO jepsen.util - 0 :invoke :write 3" */
	HISTORY_PLUME,       /* r(key,value,session,txn); which of the two dialects is detected */
	HISTORY_PLUME_ZERO,  /* value 0 is the initial value of every key */
	HISTORY_PLUME_FIRST, /* transaction 0 of session 0 wrote the initial values */
	HISTORY_AWDIT,       /* "w k v", "-----" between transactions, "=====" between sessions */
	HISTORY_DBCOP,       /* {"sessions":[[{"committed":true,"events":[["w","x",1]]}]]} */
};

/* How a collection that was read is to be stored. */
enum history_lists {
	HISTORY_LISTS_AUTO,   /* as a list */
	HISTORY_LISTS_OPAQUE, /* as a value like any other: registers that hold collections */
};

struct history {
	/* Rows */
	uint32_t ops_len;
	uint32_t *inv, *ret; /* place in event[]; ret HISTORY_NEVER */
	uint32_t *mop_first; /* the row's mops are [mop_first, mop_first + mop_len) */
	uint32_t *mop_len;   /* */
	uint32_t *process; /* dense, below processes_len; a session where the format has sessions */
	uint32_t *line;    /* of the completion, or of the invocation without one; from 1 */
	uint8_t *type;     /* enum history_type */
	uint8_t *f;        /* enum history_f */
	int64_t *time;     /* of the invocation, then ret_time; ns; NULL: no event had one */
	int64_t *ret_time; /* INT64_MIN = none */

	/* Events: (row << 1) | 1 for a completion */
	uint32_t events_len;
	uint32_t *event;

	/* Micro-operations */
	uint32_t mops_len;
	uint8_t *mop_f;    /* enum history_f */
	uint32_t *mop_key; /* dense, below keys_len */
	int64_t *mop_val;  /* a value; of a read of a collection history_list_* below */
	uint8_t *mop_list; /* 1: mop_val is a list; NULL when no row read a list */

	uint32_t keys_len;
	int64_t *key;              /* its value */
	struct history_list *list; /* by key; NULL when no row read a list */
	uint32_t apart_len;
	struct history_apart *apart;

	uint32_t processes_len;
	int64_t *process_name; /* its value; VALUE_NIL for a made-up one */

	uint32_t names_len;
	struct history_name *name;

	/* What the file says about order */
	bool has_realtime; /* events stand in the order in which they happened */
	bool has_process;  /* rows of one process stand in its order; else all are made up */
	bool has_initial;  /* every key began as `initial` (PLUME_ZERO); else unset, nil */
	int64_t initial;
	uint32_t init_op; /* the transaction that wrote the initial values; HISTORY_NONE */
	enum history_format format; /* as found out */
	bool mixed_processes;       /* some events had a process and some had not */

	uint32_t f_count[HF_LEN];   /* rows by f */
	uint32_t mop_count[HF_LEN]; /* mops of transactions by f */
	struct arena arena;         /* names, lists */
};

struct history_options {
	enum history_format format;
	enum history_lists lists;
};

/*
 * Read a whole history. bytes are borrowed for the call and need HISTORY_SLACK readable zero bytes
 * behind them. PAWL_E_INVALID: not a history, "line 3, column 14: ..";
 * PAWL_E_TOO_LARGE; PAWL_E_NOMEM.
 */
#define HISTORY_SLACK 64
PAWL_MUST_CHECK enum pawl_status pawl__history_read(const char *bytes, size_t len,
                                                    const struct history_options *o,
                                                    struct history **ret, struct pawl_error *err);

/* The same of a file; "-" is standard input. PAWL_E_NOT_FOUND, PAWL_E_IO too. */
PAWL_MUST_CHECK enum pawl_status pawl__history_load(const char *path,
                                                    const struct history_options *o,
                                                    struct history **ret, struct pawl_error *err);

/* NULL is allowed. */
void pawl__history_free(struct history *h);

static inline void history_freep(struct history **p)
{
	pawl__history_free(*p);
}

/* Whether mop m read a collection. */
static inline bool history_is_list(const struct history *h, uint32_t m)
{
	return h->mop_list != NULL && h->mop_list[m] != 0;
}

/* Of a list mop: whether it is a prefix of its key's main list. Then mop_val is its length;
 * otherwise -1 - (its place in apart). */
static inline bool history_is_prefix(const struct history *h, uint32_t m)
{
	return h->mop_val[m] >= 0;
}

/* Elements of a list mop. */
static inline const int64_t *history_list_at(const struct history *h, uint32_t m, uint32_t *ret_len)
{
	const int64_t v = h->mop_val[m];

	if (v >= 0) {
		*ret_len = (uint32_t)v;
		return h->list[h->mop_key[m]].at;
	}
	*ret_len = h->apart[-1 - v].len;
	return h->apart[-1 - v].at;
}

/* Append a value as EDN writes it: 5, nil, :x, "text". */
void pawl__history_value(const struct history *h, int64_t v, struct buf *to);

/* Append "T3 = {:ok process 2, [:append 5 1] [:r 5 [1 2]]}" without the name, lists cut short. */
void pawl__history_op(const struct history *h, uint32_t op, struct buf *to);

/* The text of a name: the bytes of a string, "x" of :x. */
static inline struct str history_text(const struct history *h, int64_t v)
{
	PRE(value_is_name(v));
	return h->name[(uint32_t)(v - (INT64_MIN + 1))].text;
}

const char *pawl__history_f_name(enum history_f f);
const char *pawl__history_type_name(enum history_type t);

#endif /* PAWL_RACE_CHECK_HISTORY_H */
