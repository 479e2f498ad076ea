/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the conformance suite and the simulation are written with: transactions put together in a
 * line, an engine over any store, answers that outlive their batch, and a clock that is told.
 */
#ifndef TEST_CONFORMANCE_KIT_H
#define TEST_CONFORMANCE_KIT_H

#include <pthread.h>

#include "engine/engine.h"
#include "store/store.h"

#define KIT_START_US INT64_C(4000000000000000) /* in 2096: the stores' own clocks are behind it */
#define KIT_SECOND   INT64_C(1000000)
#define KIT_HOUR     (3600 * KIT_SECOND)
#define KIT_DAY      (24 * KIT_HOUR)

/* A store seen through a clock that the test sets; everything else is the store's own. near: hide
 * that it is remote, so that an engine runs it on the test's own thread if it is told to, and has
 * no old figures. */
struct kit_clock {
	_Atomic int64_t real_us, mono_us;
	bool near;
};
struct store *kit_clock_store(struct kit_clock *clock, struct store *take_inner);

/* Both clocks go on together. */
void kit_pass(struct kit_clock *clock, int64_t us);

/* A copy of a struct tx_answer. */
struct kit_answer {
	bool done;
	enum pawl_status code;
	int http;
	bool replayed;
	int32_t op;
	int64_t revision;
	int64_t etag;
	char *location; /* owned, NUL-terminated, never NULL once done */
	char *body;     /* owned, NUL-terminated, never NULL once done */
	size_t body_len;
};

/* One request. All texts are copied; it may be sent again and again. */
struct kit_tx {
	struct tx tx;
	struct op *ops; /* owned; tx.ops */
	uint32_t ops_cap;
	struct arena arena; /* of the texts */
	struct lane_request rq;
	struct kit_answer answer;
	struct kit *kit;
	int64_t deadline_mono_us; /* 0 = the engine's default */
};

void kit_tx_init(struct kit_tx *t);
void kit_tx_deinit(struct kit_tx *t);
/* Forget operations, key and answer. */
void kit_tx_reset(struct kit_tx *t);

/* The same request in other memory: a retry while the first waits, or of another process. Its texts
 * are t's, which must stay. */
void kit_tx_twin(struct kit_tx *twin, const struct kit_tx *t);

/* Who asks, and under which key; "" = no key. */
void kit_key(struct kit_tx *t, const char *caller, const char *key);
void kit_form(struct kit_tx *t, enum tx_form form, const char *route);

struct op *kit_op(struct kit_tx *t, enum op_kind kind);
struct str kit_text(struct kit_tx *t, const char *s);
void kit_transfer(struct kit_tx *t, const char *from, const char *to, int64_t amount);
void kit_hold(struct kit_tx *t, const char *from, const char *to, int64_t amount, int64_t ttl_us);
void kit_capture(struct kit_tx *t, int64_t hold, int64_t amount, bool final);
void kit_release(struct kit_tx *t, int64_t hold);
void kit_put(struct kit_tx *t, const char *key, const char *value, int64_t if_version);
void kit_delete(struct kit_tx *t, const char *key, int64_t if_version);
void kit_check(struct kit_tx *t, const char *key, int64_t if_version);
void kit_check_account(struct kit_tx *t, const char *id, int64_t available_min);
void kit_emit(struct kit_tx *t, const char *topic, const char *key, const char *body);
void kit_enqueue(struct kit_tx *t, const char *queue, const char *body, int64_t delay_us);
void kit_fence(struct kit_tx *t, const char *name, int64_t token);
void kit_account(struct kit_tx *t, const char *id, const char *unit, int64_t floor);
void kit_account_free(struct kit_tx *t, const char *id, const char *unit); /* no floor */
void kit_item(struct kit_tx *t, const char *sku, int64_t stock);
void kit_restock(struct kit_tx *t, const char *sku, int64_t quantity);
void kit_finish(struct kit_tx *t, enum op_kind kind, int64_t order); /* OP_CONFIRM, OP_CANCEL */
void kit_touch(struct kit_tx *t, const char *account);

struct kit_line {
	const char *sku;
	int64_t quantity;
};
/* hold_us 0 = confirmed at once. The body says the lines, as the server's decoder writes them. */
struct op *kit_order(struct kit_tx *t, const struct kit_line *lines, uint32_t len, int64_t hold_us);
void kit_order_pay(struct kit_tx *t, struct op *order, const char *from, const char *to,
                   int64_t amount);

/* An engine over a store. */
struct kit {
	struct kit_clock *clock; /* borrowed */
	struct engine *engine;
	enum engine_mode mode;
	pthread_mutex_t mu; /* answers in ENGINE_THREAD */
	pthread_cond_t answered;
};

PAWL_MUST_CHECK bool kit_start(struct kit *k, struct store *take_store, enum engine_mode mode,
                               const struct engine_options *opt);
void kit_stop(struct kit *k);

/* Queue a request; its answer is found in it after kit_turn (ENGINE_LOOP) or kit_wait. A request
 * that was not taken is answered with the status of submit. */
void kit_submit(struct kit *k, struct kit_tx *t);
void kit_turn(struct kit *k); /* until nothing waits */
void kit_wait(struct kit *k, struct kit_tx *t);

/* One request alone. The answer is t->answer too. */
const struct kit_answer *kit_run(struct kit *k, struct kit_tx *t);

/* An id in an answer: the number after the n-th "id":" (from 0) of the body; 0 = there is none. */
int64_t kit_id(const struct kit_answer *a, unsigned nth);
/* The integer after the first "name":; INT64_MIN = there is none. */
int64_t kit_num(const struct kit_answer *a, const char *name);
bool kit_has(const struct kit_answer *a, const char *text);
bool kit_same(const struct kit_answer *a, const struct kit_answer *b); /* but for `replayed` */
/* Both forget what was there before. */
void kit_answer_copy(struct kit_answer *to, const struct kit_answer *from);
void kit_answer_fill(struct kit_answer *to, const struct tx_answer *from);
void kit_answer_deinit(struct kit_answer *a);

/* Committed rows by reads of the engine; they live until the next begin. */
struct kit_read {
	struct arena arena;
	struct ws ws;
};
void kit_read_init(struct kit_read *r);
void kit_read_deinit(struct kit_read *r);
/* begin; any pawl__ws_want; all. */
void kit_read_begin(struct kit_read *r);
void kit_read_all(struct kit_read *r, struct kit *k);
/* One row; NULL = absent. */
struct ws_entry *kit_read_row(struct kit_read *r, struct kit *k, enum row_kind kind,
                              const char *id);
struct ws_entry *kit_read_number(struct kit_read *r, struct kit *k, enum row_kind kind,
                                 int64_t number);
struct ws_entry *kit_read_answer(struct kit_read *r, struct kit *k, const char *caller,
                                 const char *key);

/* The audit: the number of drifts, each printed; -1 = it could not look. */
int64_t kit_audit(struct kit *k, struct store_audit *ret);

#endif /* TEST_CONFORMANCE_KIT_H */
