#define _GNU_SOURCE
#include "CSockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

long cs_send(int fd, const void *bytes, size_t count) {
  for (;;) {
    ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

long cs_sendv(int fd, const struct iovec *pieces, int count) {
  struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = count < 64 ? count : 64};
  for (;;) {
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

void cs_prepare_viewer(int fd, int unsent) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (unsent > 0) setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

long cs_unsent(int fd) {
  int bytes = 0;
  return ioctl(fd, SIOCOUTQ, &bytes) ? -errno : bytes;
}

struct cs_batch {
  int slots;
  int slot_size;
  uint32_t drops;
  uint8_t *bytes;
  struct mmsghdr *messages;
  struct iovec *pieces;
  struct sockaddr_storage *sources;
  uint8_t *control;
};

enum { control_size = CMSG_SPACE(sizeof(uint32_t)) };

cs_batch *cs_batch_create(int slots, int slot_size) {
  cs_batch *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  b->slots = slots;
  b->slot_size = slot_size;
  b->bytes = malloc((size_t)slots * slot_size);
  b->messages = calloc(slots, sizeof *b->messages);
  b->pieces = calloc(slots, sizeof *b->pieces);
  b->sources = calloc(slots, sizeof *b->sources);
  b->control = calloc(slots, control_size);
  if (!b->bytes || !b->messages || !b->pieces || !b->sources || !b->control) {
    cs_batch_destroy(b);
    return NULL;
  }
  for (int i = 0; i < slots; i++) {
    b->pieces[i] = (struct iovec){b->bytes + (size_t)i * slot_size, slot_size};
    b->messages[i].msg_hdr.msg_iov = &b->pieces[i];
    b->messages[i].msg_hdr.msg_iovlen = 1;
    b->messages[i].msg_hdr.msg_name = &b->sources[i];
    b->messages[i].msg_hdr.msg_control = b->control + (size_t)i * control_size;
  }
  return b;
}

void cs_batch_destroy(cs_batch *b) {
  if (!b) return;
  free(b->bytes);
  free(b->messages);
  free(b->pieces);
  free(b->sources);
  free(b->control);
  free(b);
}

int cs_batch_receive(cs_batch *b, int fd) {
  for (int i = 0; i < b->slots; i++) {  // the kernel overwrites these lengths
    b->messages[i].msg_hdr.msg_namelen = sizeof(struct sockaddr_storage);
    b->messages[i].msg_hdr.msg_controllen = control_size;
  }
  b->drops = 0;
  for (;;) {
    int n = recvmmsg(fd, b->messages, b->slots, MSG_DONTWAIT, NULL);
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    }
    for (int i = 0; i < n; i++) {
      struct msghdr *h = &b->messages[i].msg_hdr;
      for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) memcpy(&b->drops, CMSG_DATA(c), sizeof b->drops);
    }
    return n;
  }
}

const uint8_t *cs_batch_bytes(const cs_batch *b, int i) { return b->bytes + (size_t)i * b->slot_size; }
int cs_batch_length(const cs_batch *b, int i) { return (int)b->messages[i].msg_len; }
const struct sockaddr_storage *cs_batch_source(const cs_batch *b, int i) { return &b->sources[i]; }
uint32_t cs_batch_kernel_drops(const cs_batch *b) { return b->drops; }

int cs_udp_bind(const struct sockaddr *address, socklen_t length, int receive_buffer) {
  int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof one);
  // FORCE passes net.core.rmem_max but needs CAP_NET_ADMIN.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer))
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (bind(fd, address, length)) {
    int e = errno;
    close(fd);
    return -e;
  }
  return fd;
}

int cs_local_address(int fd, char *host, socklen_t capacity) {
  struct sockaddr_storage storage;
  socklen_t length = sizeof storage;
  if (getsockname(fd, (struct sockaddr *)&storage, &length)) return -errno;
  if (storage.ss_family == AF_INET) {
    struct sockaddr_in *in = (struct sockaddr_in *)&storage;
    return inet_ntop(AF_INET, &in->sin_addr, host, capacity) ? ntohs(in->sin_port) : -errno;
  }
  if (storage.ss_family == AF_INET6) {
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
    return inet_ntop(AF_INET6, &in6->sin6_addr, host, capacity) ? ntohs(in6->sin6_port) : -errno;
  }
  return -EAFNOSUPPORT;
}
