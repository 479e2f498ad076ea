/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"

static const char *const people[] = { "acct:a", "acct:b", "acct:c", "acct:d", "world:EUR" };
static const char *const skus[] = { "one", "two", "none" };
const char *const client_records[CLIENT_RECORDS] = { "rec:a", "rec:b" };

void client_setup(struct kit_tx *t)
{
	kit_account(t, "acct:a", "EUR", 0);
	kit_account(t, "acct:b", "EUR", 0);
	kit_account(t, "acct:c", "EUR", -50);
	kit_account_free(t, "acct:d", "EUR");
	kit_account(t, "acct:usd", "USD", 0);
	kit_item(t, "one", 20);
	kit_item(t, "two", 5);
	kit_transfer(t, "world:EUR", "acct:a", 100);
	kit_transfer(t, "world:USD", "acct:usd", 100);
}

static uint64_t draw(const struct client *c, uint64_t bound)
{
	return pawl__rng_below(c->rng, bound);
}

/* Rarely a name that does not exist or does not fit. */
static const char *any_account(const struct client *c)
{
	const uint64_t n = draw(c, 40);

	if (n == 0)
		return "acct:nobody";
	if (n == 1)
		return "acct:usd";
	return people[n % ARRAY_LEN(people)];
}

static int64_t any_amount(const struct client *c)
{
	return 1 + (int64_t)draw(c, draw(c, 8) == 0 ? 200 : 25);
}

static int64_t any_ttl(const struct client *c)
{
	return 1 + (int64_t)draw(c, 30 * (uint64_t)KIT_SECOND);
}

void client_learn_hold(struct client *c, int64_t number)
{
	c->holds[c->holds_len++ % CLIENT_IDS] = number;
}

void client_learn_order(struct client *c, int64_t number)
{
	c->orders[c->orders_len++ % CLIENT_IDS] = number;
}

/* One that was made, the latest more often; or one that never was. */
static int64_t any_id(const struct client *c, const int64_t *ids, uint32_t len)
{
	const uint32_t most = len < CLIENT_IDS ? len : CLIENT_IDS, recent = most < 8 ? most : 8;

	if (len == 0 || draw(c, 30) == 0)
		return 1 + (int64_t)draw(c, 100);
	return ids[(len - 1 - draw(c, draw(c, 4) != 0 ? recent : most)) % CLIENT_IDS];
}

static int64_t any_hold(const struct client *c)
{
	return any_id(c, c->holds, c->holds_len);
}

static int64_t any_order(const struct client *c)
{
	return any_id(c, c->orders, c->orders_len);
}

static int64_t any_version(const struct client *c, int64_t current)
{
	switch (draw(c, 6)) {
	case 0:
		return TX_VERSION_ANY;
	case 1:
		return TX_VERSION_EXISTS;
	case 2:
		return TX_VERSION_NEW;
	case 3:
		return TX_VERSION_ABSENT;
	default:
		return current; /* TX_VERSION_ABSENT when it is absent */
	}
}

static void make_record(const struct client *c, struct kit_tx *t)
{
	const uint64_t n = draw(c, CLIENT_RECORDS);
	const int64_t version = any_version(c, c->version[n]);
	const char *key = client_records[n];
	char value[24];

	switch (draw(c, 4)) {
	case 0:
		kit_delete(t, key, version);
		return;
	case 1:
		kit_check(t, key, version);
		return;
	default:
		(void)snprintf(value, sizeof(value), "%" PRIu64, draw(c, 1000000));
		kit_put(t, key, value, version);
		return;
	}
}

static void make_order(const struct client *c, struct kit_tx *t)
{
	struct kit_line lines[3];
	const uint32_t n = 1 + (uint32_t)draw(c, ARRAY_LEN(lines));
	const char *from = any_account(c), *to = any_account(c);
	const int64_t amount = any_amount(c);
	struct op *op;

	for (uint32_t i = 0; i < n; i++) {
		const uint64_t sku = draw(c, 20);

		lines[i].sku = skus[sku == 0 ? 2 : sku % 2];
		lines[i].quantity = 1 + (int64_t)draw(c, 4);
	}
	op = kit_order(t, lines, n, draw(c, 2) == 0 ? 0 : any_ttl(c));
	if (draw(c, 2) == 0)
		kit_order_pay(t, op, from, to, amount);
}

static void make_account(const struct client *c, struct kit_tx *t)
{
	const char *id = people[draw(c, 4)];

	if (draw(c, 3) == 0)
		kit_account_free(t, id, "EUR");
	else
		kit_account(t, id, "EUR", (int64_t)draw(c, 200) - 150);
}

/* Drawn one by one: the order of arguments is the compiler's, that of a seed is not. */
static void make_op(const struct client *c, struct kit_tx *t)
{
	const uint64_t kind = draw(c, 100);
	const char *from = any_account(c), *to = any_account(c);
	const int64_t amount = any_amount(c), ttl_us = any_ttl(c), hold = any_hold(c);
	const bool coin = draw(c, 2) == 0;

	if (kind < 22)
		kit_transfer(t, from, to, amount);
	else if (kind < 38)
		kit_hold(t, from, to, amount, ttl_us);
	else if (kind < 50)
		kit_capture(t, hold, coin ? 0 : amount, draw(c, 2) == 0);
	else if (kind < 58)
		kit_release(t, hold);
	else if (kind < 68)
		make_record(c, t);
	else if (kind < 72)
		kit_check_account(t, from, amount);
	else if (kind < 75)
		kit_emit(t, "topic", "key", "{\"n\":1}");
	else if (kind < 78)
		kit_enqueue(t, "queue", "{\"n\":2}", ttl_us);
	else if (kind < 79)
		kit_fence(t, "lock", 1);
	else if (kind < 83)
		make_account(c, t);
	else if (kind < 86)
		kit_restock(t, coin ? skus[0] : skus[1], amount);
	else if (kind < 94)
		make_order(c, t);
	else
		kit_finish(t, coin ? OP_CONFIRM : OP_CANCEL, any_order(c));
}

void client_make(const struct client *c, struct kit_tx *t)
{
	const uint64_t more = draw(c, 6);
	const uint64_t ops = more < 3 ? 1 : more - 1;

	for (uint64_t i = 0; i < ops; i++)
		make_op(c, t);
}
