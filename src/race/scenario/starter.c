/* SPDX-License-Identifier: Apache-2.0 */
#include "race/scenario/report.h"

static const char before[] = "# A race: many clients do the same thing in the same instant, and "
			     "what must hold is looked at\n"
			     "# afterwards. Change what is between here and the end, then:\n"
			     "#     pawl race run THIS-FILE --report race.html\n"
			     "# Everything that can be written here is in docs/race.md.\n"
			     "\n"
			     "name: last-item\n"
			     "target: ";

static const char behind[] =
	"\n"
	"\n"
	"# Sent with every request. A token comes from the environment; it is never shown or "
	"written.\n"
	"#headers:\n"
	"#  Authorization: \"Bearer {env:API_TOKEN}\"\n"
	"\n"
	"# Before each round. {round} is a number that no round ever had, so that every round has "
	"an item\n"
	"# of its own. Each must be answered with 2xx, unless `status` says otherwise.\n"
	"setup:\n"
	"  - method: PUT\n"
	"    path: /v1/items/last-{round}\n"
	"    body: {stock: 1}\n"
	"\n"
	"race:\n"
	"  clients: 50          # connections, all opened first\n"
	"  rounds: 20\n"
	"  sync: last-byte      # or single-packet (HTTP/2), none, {spread: 5ms}, {rate: 500}\n"
	"  #repeat: until-failure\n"
	"\n"
	"  # What each client does before the race: log in, read what it will change. Values are "
	"kept per\n"
	"  # client and used as {token}.\n"
	"  #before:\n"
	"  #  - {method: POST, path: /login, body: {user: \"user-{client}\"}, capture: {token: "
	"/token}}\n"
	"\n"
	"  request:\n"
	"    method: POST\n"
	"    path: /v1/orders\n"
	"    key: own           # an Idempotency-Key each; or shared, repeated, "
	"reused-with-another-body\n"
	"    body:\n"
	"      lines: [{sku: \"last-{round}\", quantity: 1}]\n"
	"\n"
	"# What must hold after every round.\n"
	"expect:\n"
	"  - status: {201: 1, 409: rest}          # one buyer gets it, all others are told no\n"
	"  - get: /v1/items/last-{round}\n"
	"    json: {/available: 0}\n"
	"  #- {distinct: /id}                     # no two answers have the same id\n"
	"  #- {sql: \"SELECT count(*) FROM orders WHERE sku = 'last-{round}'\", on: "
	"\"{env:DATABASE_URL}\", value: 1}\n"
	"  #- {redis: \"GET stock:last-{round}\", on: \"redis://127.0.0.1:6379\", value: 0}\n"
	"\n"
	"# After each round, whatever it was like.\n"
	"#teardown:\n"
	"#  - {method: DELETE, path: /v1/items/last-{round}}\n";

void pawl__race_starter(struct str url, struct buf *out)
{
	buf_lit(out, before);
	/* YAML in double quotes is a superset of JSON's strings; braces would be holes. */
	buf_lit(out, "\"");
	for (size_t i = 0; i < url.len; i++) {
		if (url.ptr[i] == '{')
			buf_lit(out, "{");
		pawl__json_escape(out, (struct str){ url.ptr + i, 1 });
	}
	buf_lit(out, "\"");
	buf_lit(out, behind);
}
