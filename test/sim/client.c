/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients ask for: few accounts, so that everybody is in everybody's way.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "world.h"

static const char *const people[] = { "acct:a", "acct:b", "acct:c", "acct:d", "world:EUR" };
static const char *const skus[] = { "one", "two", "none" };
static const char *const records[] = { "rec:a", "rec:b" };

void client_setup(struct sim *s, struct kit_tx *t)
{
	struct model *m = &s->model;

	kit_account(t, "acct:a", "EUR", 0);
	kit_account(t, "acct:b", "EUR", 0);
	kit_account(t, "acct:c", "EUR", -50);
	kit_account_free(t, "acct:d", "EUR");
	kit_account(t, "acct:usd", "USD", 0);
	kit_item(t, "one", 20);
	kit_item(t, "two", 5);
	kit_transfer(t, "world:EUR", "acct:a", 100);
	kit_transfer(t, "world:USD", "acct:usd", 100);
	model_add_account(m, "acct:a", "EUR", true, 0);
	model_add_account(m, "acct:b", "EUR", true, 0);
	model_add_account(m, "acct:c", "EUR", true, -50);
	model_add_account(m, "acct:d", "EUR", false, 0);
	model_add_account(m, "acct:usd", "USD", true, 0);
	model_add_account(m, "world:EUR", "EUR", false, 0);
	model_add_account(m, "world:USD", "USD", false, 0);
	model_add_account(m, "world:sku:one", "sku:one", false, 0);
	model_add_account(m, "stock:one", "sku:one", true, 0);
	model_add_account(m, "sold:one", "sku:one", true, 0);
	model_add_account(m, "world:sku:two", "sku:two", false, 0);
	model_add_account(m, "stock:two", "sku:two", true, 0);
	model_add_account(m, "sold:two", "sku:two", true, 0);
	m->account[0].balance = 100;
	m->account[4].balance = 100;
	m->account[5].balance = -100;
	m->account[6].balance = -100;
	m->account[7].balance = -20;
	m->account[8].balance = 20;
	m->account[10].balance = -5;
	m->account[11].balance = 5;
	m->stocked = 25;
	m->transfers = 4;
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		m->record[m->records++].key = records[i];
}

/* Rarely a name that does not exist or does not fit. */
static const char *any_account(struct sim *s)
{
	const uint64_t n = sim_draw(s, 40);

	if (n == 0)
		return "acct:nobody";
	if (n == 1)
		return "acct:usd";
	return people[n % ARRAY_LEN(people)];
}

static int64_t any_amount(struct sim *s)
{
	return 1 + (int64_t)sim_draw(s, sim_draw(s, 8) == 0 ? 200 : 25);
}

static int64_t any_ttl(struct sim *s)
{
	return 1 + (int64_t)sim_draw(s, 30 * (uint64_t)KIT_SECOND);
}

/* A hold that was made, the latest more often; or one that never was. */
static int64_t any_hold(struct sim *s)
{
	const struct model *m = &s->model;
	const uint32_t recent = m->holds < 8 ? m->holds : 8;

	if (m->holds == 0 || sim_draw(s, 30) == 0)
		return 1 + (int64_t)sim_draw(s, 100);
	if (sim_draw(s, 4) != 0)
		return m->hold[m->holds - 1 - sim_draw(s, recent)].number;
	return m->hold[sim_draw(s, m->holds)].number;
}

static int64_t any_order(struct sim *s)
{
	const struct model *m = &s->model;
	const uint32_t recent = m->orders < 6 ? m->orders : 6;

	if (m->orders == 0 || sim_draw(s, 30) == 0)
		return 1 + (int64_t)sim_draw(s, 100);
	return m->order[m->orders - 1 - sim_draw(s, recent)].number;
}

static int64_t any_version(struct sim *s, const struct model_record *r)
{
	switch (sim_draw(s, 6)) {
	case 0:
		return TX_VERSION_ANY;
	case 1:
		return TX_VERSION_EXISTS;
	case 2:
		return TX_VERSION_NEW;
	case 3:
		return TX_VERSION_ABSENT;
	default:
		return r->present ? r->version : TX_VERSION_ABSENT;
	}
}

static void make_record(struct sim *s, struct kit_tx *t)
{
	const struct model_record *r = &s->model.record[sim_draw(s, s->model.records)];
	const int64_t version = any_version(s, r);
	char value[24];

	switch (sim_draw(s, 4)) {
	case 0:
		kit_delete(t, r->key, version);
		return;
	case 1:
		kit_check(t, r->key, version);
		return;
	default:
		(void)snprintf(value, sizeof(value), "%" PRIu64, sim_draw(s, 1000000));
		kit_put(t, r->key, value, version);
		return;
	}
}

static void make_order(struct sim *s, struct kit_tx *t)
{
	struct kit_line lines[3];
	const uint32_t n = 1 + (uint32_t)sim_draw(s, ARRAY_LEN(lines));
	struct op *op;

	for (uint32_t i = 0; i < n; i++) {
		const uint64_t sku = sim_draw(s, 20);

		lines[i].sku = skus[sku == 0 ? 2 : sku % 2];
		lines[i].quantity = 1 + (int64_t)sim_draw(s, 4);
	}
	op = kit_order(t, lines, n, sim_draw(s, 2) == 0 ? 0 : any_ttl(s));
	if (sim_draw(s, 2) == 0)
		kit_order_pay(t, op, any_account(s), any_account(s), any_amount(s));
}

static void make_account(struct sim *s, struct kit_tx *t)
{
	const char *id = people[sim_draw(s, 4)];

	if (sim_draw(s, 3) == 0)
		kit_account_free(t, id, "EUR");
	else
		kit_account(t, id, "EUR", (int64_t)sim_draw(s, 200) - 150);
}

static void make_op(struct sim *s, struct kit_tx *t)
{
	const uint64_t kind = sim_draw(s, 100);

	if (kind < 22)
		kit_transfer(t, any_account(s), any_account(s), any_amount(s));
	else if (kind < 38)
		kit_hold(t, any_account(s), any_account(s), any_amount(s), any_ttl(s));
	else if (kind < 50)
		kit_capture(t, any_hold(s), sim_draw(s, 2) == 0 ? 0 : any_amount(s),
		            sim_draw(s, 2) == 0);
	else if (kind < 58)
		kit_release(t, any_hold(s));
	else if (kind < 68)
		make_record(s, t);
	else if (kind < 72)
		kit_check_account(t, any_account(s), any_amount(s));
	else if (kind < 75)
		kit_emit(t, "topic", "key", "{\"n\":1}");
	else if (kind < 78)
		kit_enqueue(t, "queue", "{\"n\":2}", any_ttl(s));
	else if (kind < 79)
		kit_fence(t, "lock", 1);
	else if (kind < 83)
		make_account(s, t);
	else if (kind < 86)
		kit_restock(t, skus[sim_draw(s, 2)], any_amount(s));
	else if (kind < 94)
		make_order(s, t);
	else
		kit_finish(t, kind < 97 ? OP_CONFIRM : OP_CANCEL, any_order(s));
}

void client_make(struct sim *s, struct kit_tx *t)
{
	const uint64_t more = sim_draw(s, 6);
	const uint64_t ops = more < 3 ? 1 : more - 1;

	for (uint64_t i = 0; i < ops; i++)
		make_op(s, t);
}
