// SPDX-License-Identifier: Apache-2.0
/* Lines for people, on stderr. */
#ifndef GUEST_VSC_VSC_DISK_LOG_H
#define GUEST_VSC_VSC_DISK_LOG_H

/*
 * One line, "vsc-disk: …"; control characters become '?'. A flood is cut, and how much of it is
 * said by the next line that comes through. One thread.
 */
void disk_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
