/* SPDX-License-Identifier: MIT
 * The version, written once. Layer: config.
 */
#ifndef TMO_CONFIG_VERSION_H
#define TMO_CONFIG_VERSION_H

#define TMO_VERSION "0.1.0"

#endif
