/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pawl/export.h - PAWL_EXPORT marks what libpawl exports; nothing else is visible.
 */
#ifndef PAWL_EXPORT_H
#define PAWL_EXPORT_H

#define PAWL_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
#	define PAWL_BEGIN_DECLS extern "C" {
#	define PAWL_END_DECLS   }
#else
#	define PAWL_BEGIN_DECLS
#	define PAWL_END_DECLS
#endif

#endif /* PAWL_EXPORT_H */
