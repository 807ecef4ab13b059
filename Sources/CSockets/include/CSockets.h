// The few socket calls that Swift's Glibc module does not export or cannot express. Every call returns -errno on failure.
#ifndef GBGATE_CSOCKETS_H
#define GBGATE_CSOCKETS_H

#include "media_sockets.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

/// Sends without blocking and without SIGPIPE. Returns the bytes taken, or -errno.
long cs_send(int fd, const void *bytes, size_t count);

/// The same for several pieces in one call (at most 64 are used).
long cs_sendv(int fd, const struct iovec *pieces, int count);

/// Makes a TCP socket fit for live media: no Nagle, and no more than `unsent` bytes waiting in the kernel.
void cs_prepare_viewer(int fd, int unsent);

/// Bytes that a TCP socket holds unsent or unacknowledged, or -errno.
long cs_unsent(int fd);

/// A batch of datagram slots for recvmmsg, filled again and again.
typedef struct cs_batch cs_batch;
cs_batch *cs_batch_create(int slots, int slot_size);
void cs_batch_destroy(cs_batch *batch);
/// Receives up to `slots` datagrams without blocking. Returns how many (0 when there is none), or -errno.
int cs_batch_receive(cs_batch *batch, int fd);
/// The bytes, length and source of datagram `index` of the last receive; valid until the next one.
const uint8_t *cs_batch_bytes(const cs_batch *batch, int index);
int cs_batch_length(const cs_batch *batch, int index);
const struct sockaddr_storage *cs_batch_source(const cs_batch *batch, int index);
/// The kernel's count of datagrams dropped on this socket (SO_RXQ_OVFL), as told with the last receive; 0 until any.
uint32_t cs_batch_kernel_drops(const cs_batch *batch);

/// A non-blocking, close-on-exec UDP socket bound to `address`, with SO_RXQ_OVFL on and a receive buffer of at least
/// `receive_buffer` bytes where the kernel allows it. Returns the descriptor or -errno.
int cs_udp_bind(const struct sockaddr *address, socklen_t length, int receive_buffer);

/// Writes the numeric address that a socket is bound to into `host` (INET6_ADDRSTRLEN is enough) and returns its port,
/// or -errno. Swift cannot name sockaddr reliably: which module owns the type depends on who included it first.
int cs_local_address(int fd, char *host, socklen_t capacity);

#endif
