// Sockets of the RTP reactor: TCP media, epoll, and addresses in a form that is cheap to compare. -errno on failure.
#ifndef GBGATE_MEDIA_SOCKETS_H
#define GBGATE_MEDIA_SOCKETS_H

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/// An IPv6 address, or an IPv4 one in its mapped form (::ffff:a.b.c.d), in host byte order; and a port.
typedef struct cs_endpoint {
  uint64_t high;
  uint64_t low;
  uint16_t port;
} cs_endpoint;

/// All zero for other families.
static inline cs_endpoint cs_endpoint_of(const struct sockaddr_storage *address) {
  cs_endpoint e = {0, 0, 0};
  if (address->ss_family == AF_INET) {
    const struct sockaddr_in *a = (const struct sockaddr_in *)address;
    e.low = 0xFFFF00000000ull | ntohl(a->sin_addr.s_addr);
    e.port = ntohs(a->sin_port);
  } else if (address->ss_family == AF_INET6) {
    const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)address;
    for (int i = 0; i < 8; i++) e.high = e.high << 8 | a->sin6_addr.s6_addr[i];
    for (int i = 8; i < 16; i++) e.low = e.low << 8 | a->sin6_addr.s6_addr[i];
    e.port = ntohs(a->sin6_port);
  }
  return e;
}

/// Sends a datagram to `to` from a socket of either family.
long cs_send_to(int fd, cs_endpoint to, const void *bytes, size_t count);

/// Sends datagrams to `to`, each of one piece, at most 64. Returns how many the kernel took, or -errno when it took none.
int cs_send_many(int fd, cs_endpoint to, const struct iovec *datagrams, int count);

/// Makes a UDP socket send to multicast groups: out of the interface with this IPv4 address (all zero: as the routes say), so
/// many hops, and to this machine as well.
int cs_multicast_sender(int fd, cs_endpoint interface, int hops);

/// A non-blocking TCP socket bound to `address` with SO_REUSEADDR.
int cs_tcp_bind(const struct sockaddr *address, socklen_t length);
int cs_listen(int fd, int backlog);
/// The next waiting connection, non-blocking, its remote address in `from`; -EAGAIN when there is none.
int cs_accept(int fd, cs_endpoint *from);
/// Begins to connect: 0 when done, -EINPROGRESS when the socket will become writable.
int cs_connect(int fd, cs_endpoint to);
/// The result of a connect that was in progress: 0 or -errno.
int cs_connect_result(int fd);
/// Bytes read, 0 at the end of the stream, -EAGAIN when there are none.
long cs_receive(int fd, void *bytes, size_t count);
int cs_local_endpoint(int fd, cs_endpoint *local);

enum { CS_READABLE = 1, CS_WRITABLE = 2 };
typedef struct cs_ready {
  uint64_t token;
  uint32_t events;
} cs_ready;

int cs_epoll_create(void);
int cs_epoll_add(int epoll, int fd, uint32_t events, uint64_t token);
int cs_epoll_modify(int epoll, int fd, uint32_t events, uint64_t token);
int cs_epoll_remove(int epoll, int fd);
/// What is ready now, without waiting; an error or a hang-up is told as both readable and writable.
int cs_epoll_poll(int epoll, cs_ready *ready, int count);

/// Reads a numeric address, IPv4 or IPv6. Returns 0, or -EINVAL for anything else.
int cs_endpoint_parse(const char *host, uint16_t port, cs_endpoint *out);

#endif
