/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/check/formats - one reader per format: they walk the file that the builder was made for and
 * call it. What went wrong, they keep in the builder.
 */
#ifndef PAWL_RACE_CHECK_FORMATS_H
#define PAWL_RACE_CHECK_FORMATS_H

#include "race/check/builder.h"

void pawl__read_edn(struct builder *b);
void pawl__read_json(struct builder *b);
void pawl__read_etcd(struct builder *b);
void pawl__read_plume(struct builder *b, enum history_format format);
void pawl__read_awdit(struct builder *b);
void pawl__read_dbcop(struct builder *b);

/* A value in EDN at p, as in etcd logs: p is behind white space. */
const char *pawl__edn_value(struct builder *b, const char *p, struct event *e, bool ok);

#endif /* PAWL_RACE_CHECK_FORMATS_H */
