// SPDX-License-Identifier: Apache-2.0
// The public headers are valid C++, their macros too.
#include <pawl/pawl.h>

static void drift(void *, const char *, const char *) {}
static void answered(void *, pawl_status, const pawl_answer *) {}

int main()
{
	pawl_options options = PAWL_OPTIONS_INIT;
	pawl_order order = PAWL_ORDER_INIT;
	pawl_order_line line = { "s", 1 };
	pawl_answer *answer = nullptr;
	pawl_error err;
	pawl_audit audit;
	pawl_tx *tx = nullptr;
	pawl *p = nullptr;

	options.caller = "c";
	order.lines = &line;
	order.lines_len = 1;
	if (pawl_open("memory:", &options, &p, &err) != PAWL_OK)
		return 1;
	if (pawl_order_place(p, nullptr, &order, &answer, &err) != PAWL_OK ||
	    pawl_answer_code(answer) != PAWL_E_NOT_FOUND)
		return 1;
	pawl_answer_free(answer);
	if (pawl_tx_new(p, &tx, &err) != PAWL_OK ||
	    pawl_tx_put(tx, "k", "1", PAWL_IF_ABSENT) != PAWL_OK ||
	    pawl_tx_submit(tx, answered, nullptr, &err) != PAWL_OK ||
	    pawl_verify(p, drift, nullptr, &audit, &err) != PAWL_OK)
		return 1;
	pawl_close(p); // answers it
	pawl_tx_free(tx);
	return 0;
}
