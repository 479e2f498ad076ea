/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pawl/limits.h - everything has a limit, and this is the file that names it.
 *
 * Each is checked at the door (HTTP and C alike), answers PAWL_E_INVALID (or 413, 414, 431, 503
 * as noted), changes nothing when exceeded, and is tested at the limit and at limit + 1.
 */
#ifndef PAWL_LIMITS_H
#define PAWL_LIMITS_H

/* names and values */
#define PAWL_ID_MAX         128 /* bytes of an account id, SKU, record key, lock, topic, queue */
#define PAWL_ACCOUNT_ID_MAX 160 /* the same with a prefix of the store, "world:sku:" */
#define PAWL_UNIT_MAX       64  /* bytes of a unit, such as "EUR" */
#define PAWL_KEY_MAX        255 /* bytes of an idempotency key */
#define PAWL_CALLER_MAX     64  /* bytes of a caller's name */
#define PAWL_VALUE_MAX      (256 * 1024) /* bytes of a record's value in compact JSON */
#define PAWL_EVENT_MAX      (64 * 1024)  /* bytes of an event's or a job's body in compact JSON */
#define PAWL_CUSTOMER_MAX   128          /* bytes of an order's customer reference, UTF-8 */
#define PAWL_REQUEST_ID_MAX 128          /* bytes of X-Request-Id */

/* one transaction */
#define PAWL_OPS_MAX         256               /* operations */
#define PAWL_TX_BYTES_MAX    (4 * 1024 * 1024) /* strings and values of a transaction of libpawl */
#define PAWL_LINES_MAX       256               /* lines of one order */
#define PAWL_HOLD_TTL_MAX_S  31536000          /* one year */
#define PAWL_JOB_DELAY_MAX_S 31536000          /* one year */
#define PAWL_AMOUNT_MAX      INT64_MAX         /* of one operation; at least 1 */

/* the front */
#define PAWL_BODY_MAX          (1024 * 1024) /* bytes of a request body; above: 413 */
#define PAWL_HEAD_MAX          (16 * 1024)   /* bytes of request line and fields; above: 431 */
#define PAWL_TARGET_MAX        2048          /* bytes of the request target; above: 414 */
#define PAWL_FIELDS_MAX        64            /* header fields; above: 431 */
#define PAWL_JSON_DEPTH_MAX    32            /* nesting of a JSON body */
#define PAWL_PIPELINE_MAX      128   /* unanswered requests of one connection; then reading waits */
#define PAWL_CONNS_MAX_DEFAULT 10000 /* open connections; above: 503 and close */
#define PAWL_HEAD_TIMEOUT_MS   10000 /* from first byte to the end of the fields; above: 408 */
#define PAWL_BODY_TIMEOUT_MS   30000 /* from the end of the fields to the end of the body */
#define PAWL_IDLE_TIMEOUT_MS   120000             /* between requests */
#define PAWL_WRITE_TIMEOUT_MS  30000              /* without progress in writing an answer */
#define PAWL_LINGER_TIMEOUT_MS 2000               /* for a peer to read the last answer and go */
#define PAWL_UNSENT_MAX        (16 * 1024 * 1024) /* bytes a peer has not taken; above: closed */

/* the engine */
#define PAWL_QUEUE_MAX_DEFAULT          65536     /* requests waiting; above: 503 overloaded */
#define PAWL_BATCH_MAX_DEFAULT          2048      /* requests in one commit */
#define PAWL_BATCH_RETRIES_MAX          10        /* batches redone after a refusal of the store */
#define PAWL_DEADLINE_MS_DEFAULT        10000     /* from arrival to the start of the batch */
#define PAWL_DEADLINE_MS_MAX            86400000  /* one day */
#define PAWL_ANSWER_RETENTION_S_DEFAULT 86400     /* published lifetime of an idempotency key */
#define PAWL_ANSWER_RETENTION_S_MAX     315360000 /* ten years */
#define PAWL_CLOCK_STEP_MAX_S_DEFAULT   300       /* a larger step forward pauses expiry */

#endif /* PAWL_LIMITS_H */
