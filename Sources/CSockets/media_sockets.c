#define _GNU_SOURCE
#include "media_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

static int family(int fd) {
  int domain = AF_INET;
  socklen_t length = sizeof domain;
  getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
  return domain;
}

// 0 when the endpoint cannot be reached from a socket of this family.
static socklen_t address_of(int domain, cs_endpoint e, struct sockaddr_storage *address) {
  memset(address, 0, sizeof *address);
  if (domain == AF_INET) {
    struct sockaddr_in *a = (struct sockaddr_in *)address;
    if (e.high || e.low >> 32 != 0xFFFF) return 0;
    a->sin_family = AF_INET;
    a->sin_addr.s_addr = htonl((uint32_t)e.low);
    a->sin_port = htons(e.port);
    return sizeof *a;
  }
  struct sockaddr_in6 *a = (struct sockaddr_in6 *)address;
  a->sin6_family = AF_INET6;
  for (int i = 0; i < 8; i++) {
    a->sin6_addr.s6_addr[i] = (uint8_t)(e.high >> (56 - 8 * i));
    a->sin6_addr.s6_addr[8 + i] = (uint8_t)(e.low >> (56 - 8 * i));
  }
  a->sin6_port = htons(e.port);
  return sizeof *a;
}

long cs_send_to(int fd, cs_endpoint to, const void *bytes, size_t count) {
  struct sockaddr_storage address;
  socklen_t length = address_of(family(fd), to, &address);
  if (!length) return -EAFNOSUPPORT;
  for (;;) {
    ssize_t n = sendto(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, length);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

int cs_send_many(int fd, cs_endpoint to, const struct iovec *datagrams, int count) {
  struct sockaddr_storage address;
  struct mmsghdr messages[64];
  socklen_t length = address_of(family(fd), to, &address);
  if (!length) return -EAFNOSUPPORT;
  if (count > 64) count = 64;
  memset(messages, 0, sizeof messages[0] * count);
  for (int i = 0; i < count; i++) {
    messages[i].msg_hdr.msg_name = &address;
    messages[i].msg_hdr.msg_namelen = length;
    messages[i].msg_hdr.msg_iov = (struct iovec *)&datagrams[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (;;) {
    int n = sendmmsg(fd, messages, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

int cs_multicast_sender(int fd, cs_endpoint interface, int hops) {
  struct in_addr address = {htonl((uint32_t)interface.low)};
  int loops = 1;
  if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops)) return -errno;
  if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loops, sizeof loops)) return -errno;
  if (address.s_addr && setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, sizeof address)) return -errno;
  return 0;
}

int cs_tcp_bind(const struct sockaddr *address, socklen_t length) {
  int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (bind(fd, address, length)) {
    int e = errno;
    close(fd);
    return -e;
  }
  return fd;
}

int cs_listen(int fd, int backlog) { return listen(fd, backlog) ? -errno : 0; }

int cs_accept(int fd, cs_endpoint *from) {
  struct sockaddr_storage address;
  for (;;) {
    socklen_t length = sizeof address;
    int n = accept4(fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (n >= 0) {
      *from = cs_endpoint_of(&address);
      return n;
    }
    // A connection that was reset while it waited is not the listener's failure.
    if (errno != EINTR && errno != ECONNABORTED) return -errno;
  }
}

int cs_connect(int fd, cs_endpoint to) {
  struct sockaddr_storage address;
  socklen_t length = address_of(family(fd), to, &address);
  if (!length) return -EAFNOSUPPORT;
  return connect(fd, (struct sockaddr *)&address, length) ? -errno : 0;
}

int cs_connect_result(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) ? -errno : -error;
}

long cs_receive(int fd, void *bytes, size_t count) {
  for (;;) {
    ssize_t n = recv(fd, bytes, count, MSG_DONTWAIT);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

int cs_local_endpoint(int fd, cs_endpoint *local) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length)) return -errno;
  *local = cs_endpoint_of(&address);
  return 0;
}

int cs_epoll_create(void) {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

static int control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.data.u64 = token};
  if (events & CS_READABLE) event.events |= EPOLLIN;
  if (events & CS_WRITABLE) event.events |= EPOLLOUT;
  return epoll_ctl(epoll, operation, fd, &event) ? -errno : 0;
}

int cs_epoll_add(int epoll, int fd, uint32_t events, uint64_t token) {
  return control(epoll, EPOLL_CTL_ADD, fd, events, token);
}

int cs_epoll_modify(int epoll, int fd, uint32_t events, uint64_t token) {
  return control(epoll, EPOLL_CTL_MOD, fd, events, token);
}

int cs_epoll_remove(int epoll, int fd) { return control(epoll, EPOLL_CTL_DEL, fd, 0, 0); }

int cs_epoll_poll(int epoll, cs_ready *ready, int count) {
  struct epoll_event events[256];
  int n = epoll_wait(epoll, events, count < 256 ? count : 256, 0);
  if (n < 0) return errno == EINTR ? 0 : -errno;
  for (int i = 0; i < n; i++) {
    uint32_t e = events[i].events;
    ready[i].token = events[i].data.u64;
    ready[i].events = 0;
    if (e & (EPOLLIN | EPOLLERR | EPOLLHUP)) ready[i].events |= CS_READABLE;
    if (e & (EPOLLOUT | EPOLLERR | EPOLLHUP)) ready[i].events |= CS_WRITABLE;
  }
  return n;
}

int cs_endpoint_parse(const char *host, uint16_t port, cs_endpoint *out) {
  struct sockaddr_storage address = {0};
  struct sockaddr_in *in = (struct sockaddr_in *)&address;
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
  if (inet_pton(AF_INET, host, &in->sin_addr) == 1)
    address.ss_family = AF_INET;
  else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1)
    address.ss_family = AF_INET6;
  else
    return -EINVAL;
  *out = cs_endpoint_of(&address);
  out->port = port;
  return 0;
}
