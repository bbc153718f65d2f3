// SPDX-License-Identifier: Apache-2.0
/*
 * Error numbers of freestanding code. Functions return 0 or one of these,
 * negated. The values are those of Linux's errno on x86-64 and Arm64, so that
 * programs can hand them to strerror(); freestanding code has no <errno.h>.
 */
#ifndef PROTOCOL_ERRORS_H
#define PROTOCOL_ERRORS_H

enum viridian_error {
	VIRIDIAN_ENOENT = 2,	  /* no such channel, GPADL, request … */
	VIRIDIAN_EIO = 5,	  /* the peer failed the operation */
	VIRIDIAN_EAGAIN = 11,	  /* no space or no data now; wait for a signal and retry */
	VIRIDIAN_ENOMEM = 12,	  /* a fixed table or pool is full */
	VIRIDIAN_EBUSY = 16,	  /* another operation of that kind is outstanding */
	VIRIDIAN_EEXIST = 17,	  /* duplicate id */
	VIRIDIAN_ENODEV = 19,	  /* rescinded, or the device has gone */
	VIRIDIAN_EINVAL = 22,	  /* a caller's argument is out of range */
	VIRIDIAN_ENOSPC = 28,	  /* buffer too small for the result */
	VIRIDIAN_EROFS = 30,	  /* the medium is write protected */
	VIRIDIAN_EPROTO = 71,	  /* the peer broke the protocol */
	VIRIDIAN_EOVERFLOW = 75,  /* a size can never fit */
	VIRIDIAN_EMSGSIZE = 90,	  /* packet larger than the ring or the buffer */
	VIRIDIAN_ENOTSUP = 95,	  /* not in the negotiated version or features */
	VIRIDIAN_ETIMEDOUT = 110, /* no answer within the deadline */
	VIRIDIAN_ESTALE = 116,	  /* id of an earlier life of the object */
	VIRIDIAN_ECANCELED = 125, /* given up because of close, unload or reset */
};

#endif
