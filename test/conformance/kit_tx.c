/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdlib.h>

#include "base/assert.h"
#include "kit.h"

#define KIT_ARENA_BLOCK 4096
#define KIT_ARENA_MAX   ((size_t)16 << 20)
#define KIT_CANON_MAX   ((size_t)16 << 20)

void kit_tx_init(struct kit_tx *t)
{
	*t = (struct kit_tx){ 0 };
	pawl__arena_init(&t->arena, KIT_ARENA_BLOCK, KIT_ARENA_MAX);
	kit_tx_reset(t);
}

void kit_answer_deinit(struct kit_answer *a)
{
	free(a->location);
	free(a->body);
	*a = (struct kit_answer){ 0 };
}

void kit_tx_deinit(struct kit_tx *t)
{
	kit_answer_deinit(&t->answer);
	pawl__arena_deinit(&t->arena);
	free(t->ops);
	*t = (struct kit_tx){ 0 };
}

void kit_tx_reset(struct kit_tx *t)
{
	kit_answer_deinit(&t->answer);
	pawl__arena_reset(&t->arena);
	t->tx = (struct tx){ .http_created = 201 };
	t->deadline_mono_us = 0;
	kit_form(t, TX_FORM_TX, "POST /v1/tx");
	kit_key(t, "test", "");
}

void kit_tx_twin(struct kit_tx *twin, const struct kit_tx *t)
{
	kit_tx_init(twin);
	twin->tx = t->tx;
	twin->ops_cap = t->tx.ops_len;
	twin->ops = calloc(t->tx.ops_len, sizeof(*twin->ops));
	INVARIANT(twin->ops != NULL);
	memcpy(twin->ops, t->ops, t->tx.ops_len * sizeof(*twin->ops));
	twin->tx.ops = twin->ops;
}

struct str kit_text(struct kit_tx *t, const char *s)
{
	const struct str copy = pawl__arena_str(&t->arena, pawl__str_of(s));

	INVARIANT(copy.ptr != NULL);
	return copy;
}

void kit_key(struct kit_tx *t, const char *caller, const char *key)
{
	t->tx.caller = kit_text(t, caller);
	t->tx.key = kit_text(t, key);
}

void kit_form(struct kit_tx *t, enum tx_form form, const char *route)
{
	t->tx.form = form;
	t->tx.route = kit_text(t, route);
}

struct op *kit_op(struct kit_tx *t, enum op_kind kind)
{
	struct op *op;

	if (t->tx.ops_len == t->ops_cap) {
		t->ops_cap = t->ops_cap == 0 ? 8 : t->ops_cap * 2;
		t->ops = reallocarray(t->ops, t->ops_cap, sizeof(*t->ops));
		INVARIANT(t->ops != NULL);
	}
	t->tx.ops = t->ops;
	op = &t->ops[t->tx.ops_len++];
	*op = (struct op){ .kind = kind };
	return op;
}

void kit_transfer(struct kit_tx *t, const char *from, const char *to, int64_t amount)
{
	struct op *op = kit_op(t, OP_TRANSFER);

	op->u.move.from = kit_text(t, from);
	op->u.move.to = kit_text(t, to);
	op->u.move.amount = amount;
}

void kit_hold(struct kit_tx *t, const char *from, const char *to, int64_t amount, int64_t ttl_us)
{
	struct op *op = kit_op(t, OP_HOLD);

	op->u.move.from = kit_text(t, from);
	op->u.move.to = kit_text(t, to);
	op->u.move.amount = amount;
	op->u.move.ttl_us = ttl_us;
}

void kit_capture(struct kit_tx *t, int64_t hold, int64_t amount, bool final)
{
	struct op *op = kit_op(t, OP_CAPTURE);

	op->u.hold.number = hold;
	op->u.hold.amount = amount;
	op->u.hold.final = final;
}

void kit_release(struct kit_tx *t, int64_t hold)
{
	kit_op(t, OP_RELEASE)->u.hold.number = hold;
}

static struct op *op_record(struct kit_tx *t, enum op_kind kind, const char *key,
                            int64_t if_version)
{
	struct op *op = kit_op(t, kind);

	op->u.record.key = kit_text(t, key);
	op->u.record.if_version = if_version;
	return op;
}

void kit_put(struct kit_tx *t, const char *key, const char *value, int64_t if_version)
{
	op_record(t, OP_PUT, key, if_version)->u.record.value = kit_text(t, value);
}

void kit_delete(struct kit_tx *t, const char *key, int64_t if_version)
{
	(void)op_record(t, OP_DELETE, key, if_version);
}

void kit_check(struct kit_tx *t, const char *key, int64_t if_version)
{
	(void)op_record(t, OP_CHECK, key, if_version);
}

void kit_check_account(struct kit_tx *t, const char *id, int64_t available_min)
{
	struct op *op = kit_op(t, OP_CHECK);

	op->is_account = true;
	op->u.account.id = kit_text(t, id);
	op->u.account.check = true;
	op->u.account.available_min = available_min;
}

void kit_emit(struct kit_tx *t, const char *topic, const char *key, const char *body)
{
	struct op *op = kit_op(t, OP_EMIT);

	op->u.emit.topic = kit_text(t, topic);
	op->u.emit.key = kit_text(t, key);
	op->u.emit.body = kit_text(t, body);
}

void kit_enqueue(struct kit_tx *t, const char *queue, const char *body, int64_t delay_us)
{
	struct op *op = kit_op(t, OP_ENQUEUE);

	op->u.enqueue.queue = kit_text(t, queue);
	op->u.enqueue.body = kit_text(t, body);
	op->u.enqueue.delay_us = delay_us;
}

void kit_fence(struct kit_tx *t, const char *name, int64_t token)
{
	struct op *op = kit_op(t, OP_FENCE);

	op->u.fence.name = kit_text(t, name);
	op->u.fence.token = token;
}

void kit_account_free(struct kit_tx *t, const char *id, const char *unit)
{
	struct op *op = kit_op(t, OP_ACCOUNT);

	op->u.account.id = kit_text(t, id);
	op->u.account.unit = kit_text(t, unit);
}

void kit_account(struct kit_tx *t, const char *id, const char *unit, int64_t floor)
{
	struct op *op;

	kit_account_free(t, id, unit);
	op = &t->ops[t->tx.ops_len - 1];
	op->u.account.has_floor = true;
	op->u.account.floor = floor;
}

static void op_item(struct kit_tx *t, enum op_kind kind, const char *sku, int64_t quantity)
{
	struct op *op = kit_op(t, kind);

	op->u.item.sku = kit_text(t, sku);
	op->u.item.quantity = quantity;
}

void kit_item(struct kit_tx *t, const char *sku, int64_t stock)
{
	op_item(t, OP_ITEM, sku, stock);
}

void kit_restock(struct kit_tx *t, const char *sku, int64_t quantity)
{
	op_item(t, OP_RESTOCK, sku, quantity);
}

void kit_finish(struct kit_tx *t, enum op_kind kind, int64_t order)
{
	kit_op(t, kind)->u.order_number = order;
}

void kit_touch(struct kit_tx *t, const char *account)
{
	kit_op(t, OP_TOUCH)->u.account.id = kit_text(t, account);
}

struct op *kit_order(struct kit_tx *t, const struct kit_line *lines, uint32_t len, int64_t hold_us)
{
	struct order_line *copy = arena_array(&t->arena, struct order_line, len);
	struct op *op = kit_op(t, OP_ORDER);
	struct buf b;

	INVARIANT(copy != NULL);
	pawl__buf_init(&b, KIT_CANON_MAX);
	buf_lit(&b, "\"lines\":[");
	for (uint32_t i = 0; i < len; i++) {
		copy[i] = (struct order_line){ kit_text(t, lines[i].sku), lines[i].quantity };
		if (i > 0)
			pawl__buf_putc(&b, ',');
		buf_lit(&b, "{\"sku\":");
		pawl__buf_json(&b, copy[i].sku);
		buf_lit(&b, ",\"quantity\":");
		pawl__buf_i64(&b, copy[i].quantity);
		pawl__buf_putc(&b, '}');
	}
	pawl__buf_putc(&b, ']');
	op->u.order.lines = copy;
	op->u.order.lines_len = len;
	op->u.order.hold_us = hold_us;
	op->u.order.body = pawl__arena_str(&t->arena, buf_get(&b));
	pawl__buf_deinit(&b);
	return op;
}

void kit_order_pay(struct kit_tx *t, struct op *order, const char *from, const char *to,
                   int64_t amount)
{
	order->u.order.has_pay = true;
	order->u.order.pay_from = kit_text(t, from);
	order->u.order.pay_to = kit_text(t, to);
	order->u.order.pay_amount = amount;
}

static void fingerprint(struct tx *tx)
{
	struct buf b;

	pawl__buf_init(&b, KIT_CANON_MAX);
	pawl__tx_canonical(tx, &b);
	INVARIANT(!b.overflow);
	INVARIANT(crypto_generichash(tx->fingerprint, FINGERPRINT_LEN, (unsigned char *)b.data,
	                             b.len, NULL, 0) == 0);
	pawl__buf_deinit(&b);
}

static char *dup(struct str s)
{
	char *p = malloc(s.len + 1);

	INVARIANT(p != NULL);
	if (s.len > 0)
		memcpy(p, s.ptr, s.len);
	p[s.len] = '\0';
	return p;
}

void kit_answer_fill(struct kit_answer *to, const struct tx_answer *a)
{
	kit_answer_deinit(to);
	*to = (struct kit_answer){
		.done = true,
		.code = a->code,
		.http = a->http,
		.replayed = a->replayed,
		.op = a->op,
		.revision = a->revision,
		.etag = a->etag,
		.location = dup(a->location),
		.body = dup(a->body),
		.body_len = a->body.len,
	};
}

static void answer_take(struct kit_tx *t, const struct tx_answer *a)
{
	INVARIANT(!t->answer.done); /* engine (2): exactly once */
	kit_answer_fill(&t->answer, a);
}

void kit_answer_copy(struct kit_answer *to, const struct kit_answer *from)
{
	kit_answer_deinit(to);
	*to = *from;
	to->location = dup(pawl__str_of(from->location));
	to->body = dup((struct str){ from->body, from->body_len });
}

static void request_done(struct lane_request *rq, const struct tx_answer *answer)
{
	struct kit_tx *t = CONTAINER_OF(rq, struct kit_tx, rq);
	struct kit *k = t->kit;

	INVARIANT(pthread_mutex_lock(&k->mu) == 0);
	answer_take(t, answer);
	INVARIANT(pthread_cond_broadcast(&k->answered) == 0);
	INVARIANT(pthread_mutex_unlock(&k->mu) == 0);
}

void kit_submit(struct kit *k, struct kit_tx *t)
{
	enum pawl_status st;

	kit_answer_deinit(&t->answer);
	if (t->tx.key.len > 0)
		fingerprint(&t->tx);
	t->kit = k;
	t->rq = (struct lane_request){ .tx = &t->tx,
		                       .deadline_mono_us = t->deadline_mono_us,
		                       .done = request_done };
	st = pawl__lane_submit(k->engine, &t->rq);
	if (st != PAWL_OK)
		answer_take(t, &(struct tx_answer){
				       .code = st, .http = pawl_status_http(st), .op = -1 });
}
