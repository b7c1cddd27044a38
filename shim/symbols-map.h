/* SPDX-License-Identifier: MIT
 * Turns symbols.def into the list of exported names: preprocessed with this in front, each row
 * becomes EXPORT(name). Layer: build only.
 */
#include "shim/sys/libc.h"
#define SYM(ret, name, params, args, nr) EXPORT(name)
#define OWN(name)                        EXPORT(name)
#define ALIAS(name, target)              EXPORT(name)
