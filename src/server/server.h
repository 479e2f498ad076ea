/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server/server - the HTTP front of an engine: routes, JSON, tokens, health, metrics. It turns
 * bytes into a struct tx and a struct tx_answer into bytes; what a transaction does is core's.
 *
 *           run          stop, SIGTERM, SIGINT       all answered, or the time is up
 *   OPEN ---------> RUNS ----------------------> DRAINS -------------------------> ENDED
 *                                                  |   a second stop or signal       ^
 *                                                  +---------------------------------+
 *
 * While it drains /readyz is 503, nothing new is accepted, and what has arrived is answered.
 *
 * Who commits: with commit_on_loop the loop's own thread, between reading requests and writing
 * their answers (the engine was opened with ENGINE_LOOP); otherwise the lane's thread, which hands
 * finished requests back (ENGINE_THREAD).
 *
 * Invariants:
 *  (1) A request that was handed to the engine is answered to its connection, if that still is
 *      there, after its commit and not before.
 *  (2) Without a token file only this machine is listened to. With one, another address needs
 *      `plaintext` as well, because tokens then cross a network in the clear.
 *  (3) No request, key, id, value or token is ever logged.
 * Threads: one, that of pawl__server_run; pawl__server_stop from any.
 */
#ifndef PAWL_SERVER_SERVER_H
#define PAWL_SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "engine/engine.h"
#include "pawl/error.h"

#define SERVER_LISTEN_DEFAULT "127.0.0.1:7077"
#define SERVER_LISTEN_MAX     16

/* Zero or NULL takes the default. Everything is borrowed until pawl__server_close. */
struct server_options {
	const char *const *listen; /* "127.0.0.1:7077", "[::1]:0", "unix:/run/pawl.sock" */
	size_t listen_len;         /* 0 = SERVER_LISTEN_DEFAULT */
	struct engine *engine;
	bool commit_on_loop; /* the engine was opened with ENGINE_LOOP */
	const char *token_file;
	bool plaintext;
	uint32_t conns_max;
	size_t waiting_max;     /* bytes of writes under way; above: 503; default 256 MiB */
	int64_t drain_us;       /* how long draining may take; default 10 s */
	int64_t drain_delay_us; /* listen on for so long with /readyz at 503; default 0 */
	bool signals;           /* SIGTERM and SIGINT stop it; see pawl__server_block_signals */
};

struct server;

/* Reads the tokens, listens on every address. PAWL_E_CONFIG: an address or the token file is not
 * usable; PAWL_E_BUSY, PAWL_E_IO, PAWL_E_NOMEM. */
PAWL_MUST_CHECK enum pawl_status pawl__server_open(const struct server_options *opt,
                                                   struct server **ret, struct pawl_error *err);

/* Serve until stopped and drained: PAWL_OK. Otherwise the loop itself failed. */
PAWL_MUST_CHECK enum pawl_status pawl__server_run(struct server *s, struct pawl_error *err);

/* The first call drains, a second one ends at once. Any thread. */
void pawl__server_stop(struct server *s);

/* The port of the i-th address; 0 for a Unix socket. */
uint16_t pawl__server_port(const struct server *s, size_t i);

/* Waits for the engine to answer what it has been given, then frees. s may be NULL. Before the
 * engine is closed. */
void pawl__server_close(struct server *s);

/* Block SIGTERM and SIGINT in this thread and those it makes, so that the loop alone receives them:
 * with `signals`, before the first other thread (so, before an engine with ENGINE_THREAD opens). */
void pawl__server_block_signals(void);

#endif /* PAWL_SERVER_SERVER_H */
