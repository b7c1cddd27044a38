/* SPDX-License-Identifier: MIT
 * A library that exports nothing: what loading any library costs.
 */
typedef int nothing;
