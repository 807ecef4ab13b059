// hlsload: viewers of a live HLS playlist, and a meter of what serves it. One thread, epoll, no dependencies.
//
//   cc -O2 -o hlsload scripts/hlsload.c
//   hlsload --url http://127.0.0.1:8080/hls/cam/playlist.m3u8 --n 1000 --secs 20 --pid SERVER_PID [--warm SECS]
//
// Each viewer keeps one connection, asks for the playlist every half target duration (viewers are spread evenly over it) and
// fetches each new segment once, beginning with the newest. Bodies of segments are dropped in the kernel (MSG_TRUNC), so that the
// viewers cost little. Every viewer has a User-Agent of its own, by which servers may tell them apart.
//
// After --warm seconds (two target durations) it counts for --secs and prints one JSON object:
//   cpu_s_per_gb   user and system time of --pid, all its threads, per 10^9 bytes that were read, playlists and heads included
//   segment_ms_*   from the request to the last byte; playlist_ms_* likewise
//   failures       answers other than 200, broken off, too long or not done after 15 s
//   missed         segments that left the playlist before a viewer saw them
//   late           requests for a playlist that waited for a segment still under way
//   min_segments   what the viewer with the fewest got
// --n 0 only measures the server.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kIdle, kHead, kBody };
enum { kMaxPlaylist = 16384, kMaxHead = 4096, kMaxPath = 1024 };
static const uint64_t kSecond = 1000000000ull, kTimeout = 15 * 1000000000ull;

struct viewer {
  int fd, state, fresh;         // fresh: the connection has answered nothing yet
  int is_segment, due, closes;  // due: the playlist is to be asked for as soon as the viewer is idle
  uint64_t asked;
  int64_t left;                 // bytes of the body to come
  int64_t newest, at;           // media sequence numbers: of the last segment fetched (-1: none yet), of the line at `line`
  uint64_t segments;
  size_t have;                  // bytes in head, or in list while a playlist comes
  char *line;                   // what is not yet looked at of list
  char path[kMaxPath];
  char head[kMaxHead + 1], list[kMaxPlaylist + 1];
};

static struct sockaddr_in address;
static char authority[128], base[kMaxPath], playlist[kMaxPath];
static int poller, is_counting;
static int64_t target;  // EXT-X-TARGETDURATION
static uint64_t total, segments, playlists, failures, missed, late, reconnects;

struct samples { float *v; size_t n, room; };
static struct samples segment_ms, playlist_ms;

static void die(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("hlsload: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
  exit(2);
}
static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * kSecond + t.tv_nsec;
}

// ---- figures ----
static void add(struct samples *s, float value) {
  if (s->n == s->room && !(s->v = realloc(s->v, sizeof *s->v * (s->room = s->room ? 2 * s->room : 4096)))) die("no memory");
  s->v[s->n++] = value;
}
static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}
static float percentile(struct samples *s, double part) {
  if (!s->n) return -1;
  qsort(s->v, s->n, sizeof *s->v, by_value);
  return s->v[(size_t)((s->n - 1) * part)];
}
// The line of the process is the sum of its threads, ended ones included.
static double cpu_seconds(int pid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (!file) die("no process %d", pid);
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  unsigned long user, system;
  char *rest = strrchr(text, ')');  // its name may hold blanks
  if (!rest || sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
    die("cannot read %s", path);
  return (double)(user + system) / sysconf(_SC_CLK_TCK);
}
static double rss_mb(int pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/statm", pid);
  FILE *file = fopen(path, "r");
  long pages = -1;
  if (!file || fscanf(file, "%*d %ld", &pages) != 1) return -1;
  fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1048576.0);
}
static double own_cpu(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

// ---- playlists ----
static void tag(const char *text, const char *name, int64_t *value) {
  const char *at = strstr(text, name);
  if (at) *value = atoll(at + strlen(name));
}
// The path of the next segment that the viewer has not had; NULL when there is none.
static const char *next_segment(struct viewer *v) {
  while (v->line && *v->line) {
    char *line = v->line, *end = line + strcspn(line, "\r\n");
    v->line = end + strspn(end, "\r\n");
    if (line == end || *line == '#') continue;
    if (v->at++ <= v->newest) continue;
    v->newest = v->at - 1;
    int n = snprintf(v->path, sizeof v->path, "%s%.*s", *line == '/' ? "" : base, (int)(end - line), line);
    if (n >= (int)sizeof v->path || memmem(line, end - line, "://", 3)) die("cannot ask for %.*s", (int)(end - line), line);
    return v->path;
  }
  return NULL;
}
static void read_playlist(struct viewer *v) {
  int64_t first = 0, count = 0;
  v->list[v->have] = 0;
  tag(v->list, "#EXT-X-TARGETDURATION:", &target);
  tag(v->list, "#EXT-X-MEDIA-SEQUENCE:", &first);
  for (char *line = v->list; *line; line += strcspn(line, "\n"), line += *line == '\n')
    count += *line != '#' && *line != '\r' && *line != '\n';
  // A viewer that begins, or a numbering that does.
  if (v->newest < 0 || v->newest >= first + count) v->newest = first + count - 2;
  if (v->newest < first - 1) {
    if (is_counting) missed += first - 1 - v->newest;
    v->newest = first - 1;
  }
  v->at = first;
  v->line = v->list;
}

// ---- requests ----
static void open_connection(struct viewer *v, int id) {
  int one = 1;
  v->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (v->fd < 0 || connect(v->fd, (void *)&address, sizeof address)) die("cannot connect: %s", strerror(errno));
  setsockopt(v->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(v->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event e = {.events = EPOLLIN, .data.u32 = id};
  epoll_ctl(poller, EPOLL_CTL_ADD, v->fd, &e);
  v->fresh = 1;
  v->closes = 0;
}
static void drop(struct viewer *v) {
  if (v->fd >= 0) close(v->fd);
  v->fd = -1;
  v->state = kIdle;
}
static void fail(struct viewer *v) {
  if (is_counting) failures++;
  drop(v);
}
static void ask(struct viewer *v, int id, const char *path, int is_segment) {
  char text[kMaxPath + 300];
  if (v->fd < 0) open_connection(v, id);
  int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: hlsload/%d\r\nAccept: */*\r\n\r\n", path,
                   authority, id);
  v->asked = now_ns();
  v->is_segment = is_segment;
  v->state = kHead;
  v->have = 0;
  // A request is far smaller than the send buffer. A server that closes between two answers is seen by the read.
  if (send(v->fd, text, n, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET) fail(v);
}
static void go_on(struct viewer *v, int id) {
  const char *path = next_segment(v);
  if (path) {
    ask(v, id, path, 1);
  } else if (v->due) {
    v->due = 0;
    v->line = NULL;
    ask(v, id, playlist, 0);
  }
}
static void done(struct viewer *v, int id) {
  float ms = (now_ns() - v->asked) / 1e6f;
  v->state = kIdle;
  v->fresh = 0;
  if (!v->is_segment) read_playlist(v);
  if (is_counting) {
    add(v->is_segment ? &segment_ms : &playlist_ms, ms);
    *(v->is_segment ? &segments : &playlists) += 1;
    v->segments += v->is_segment;
  }
  if (v->closes) drop(v);
  go_on(v, id);
}
// Content-Length of a 200; -1 when it is something else.
static int64_t read_head(struct viewer *v) {
  int64_t length = -1;
  if (strncmp(v->head, "HTTP/1.1 200", 12)) return -1;
  for (char *line = strstr(v->head, "\r\n"); line; line = strstr(line, "\r\n")) {
    line += 2;
    if (!strncasecmp(line, "content-length:", 15)) length = atoll(line + 15);
    if (!strncasecmp(line, "connection:", 11) && !strncasecmp(line + 11 + strspn(line + 11, " "), "close", 5)) v->closes = 1;
  }
  return !v->is_segment && length > kMaxPlaylist ? -1 : length;
}
static void receive(struct viewer *v, int id) {
  static char dropped[1 << 20];
  ssize_t n;
  if (v->fd < 0) return;
  if (v->state != kBody) {
    n = recv(v->fd, v->head + v->have, kMaxHead - v->have, 0);
  } else if (v->is_segment) {
    n = recv(v->fd, dropped, v->left < (int64_t)sizeof dropped ? v->left : (int64_t)sizeof dropped, MSG_TRUNC);
  } else {
    n = recv(v->fd, v->list + v->have, v->left, 0);
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0 || v->state == kIdle) {
    int again = v->state == kHead && !v->have && !v->fresh, is_segment = v->is_segment;
    if (v->state != kIdle && !again) {
      fail(v);
      return;
    }
    // The server closed a connection that had served: no fault, whether or not our request crossed it.
    drop(v);
    if (is_counting) reconnects++;
    if (again) ask(v, id, is_segment ? v->path : playlist, is_segment);
    return;
  }
  if (is_counting) total += n;
  if (v->state == kHead) {
    v->have += n;
    v->head[v->have] = 0;
    char *end = strstr(v->head, "\r\n\r\n");
    if (!end) {
      if (v->have == kMaxHead) fail(v);
      return;
    }
    size_t body = v->have - (end + 4 - v->head);
    end[2] = 0;
    v->left = read_head(v) - (int64_t)body;
    if (v->left < 0) {
      fail(v);
      return;
    }
    v->state = kBody;
    v->have = 0;
    if (!v->is_segment) memcpy(v->list, end + 4, v->have = body);
  } else {
    v->left -= n;
    if (!v->is_segment) v->have += n;
  }
  if (!v->left) done(v, id);
}

// --url http://127.0.0.1:port/path
static void read_url(const char *url) {
  char host[64];
  int port = 80;
  if (sscanf(url, "http://%127[^/]%1023s", authority, playlist) != 2 || sscanf(authority, "%63[^:]:%d", host, &port) < 1)
    die("cannot read the URL %s", url);
  address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || ntohl(address.sin_addr.s_addr) >> 24 != 127)
    die("only loopback addresses are loaded, not %s", host);
  int n = strcspn(playlist, "?");
  while (n && playlist[n - 1] != '/') n--;
  snprintf(base, sizeof base, "%.*s", n, playlist);
}

int main(int count, char **arguments) {
  const char *url = NULL;
  int n = 1, pid = 0;
  double secs = 20, warm = -1;
  for (int i = 1; i < count; i += 2) {
    const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : NULL;
    if (!value) die("%s needs a value", name);
    if (!strcmp(name, "--url")) url = value;
    else if (!strcmp(name, "--n")) n = atoi(value);
    else if (!strcmp(name, "--secs")) secs = atof(value);
    else if (!strcmp(name, "--warm")) warm = atof(value);
    else if (!strcmp(name, "--pid")) pid = atoi(value);
    else die("unknown option %s", name);
  }
  if (n < 0 || secs <= 0 || (n && !url)) die("--url and --n, from 0 on, and --secs, above 0, are needed: see the head of hlsload.c");
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (n) read_url(url);
  poller = epoll_create1(0);
  struct viewer *viewers = calloc(n ? n : 1, sizeof *viewers);
  for (int i = 0; i < n; i++) viewers[i].fd = viewers[i].newest = -1;

  // The first viewer goes ahead: the rhythm is told by the playlist, and a server that cuts on demand begins with it.
  uint64_t started = now_ns(), begin = 0, counted = 0, end = 0, interval = 0, asked = 0;
  double cpu = 0, own = 0;
  if (n) ask(&viewers[0], 0, playlist, 0);
  for (;;) {
    uint64_t now = now_ns();
    if (!begin && (target || !n)) {
      begin = now;
      interval = target * kSecond / 2;
      counted = begin + (uint64_t)((warm >= 0 ? warm : 2 * target) * 1e9);
    } else if (!begin && (viewers[0].state == kIdle || now > started + 30 * kSecond)) {
      die("%s is no live playlist: %.*s", url, (int)strcspn(viewers[0].head, "\r\n"), viewers[0].head);
    }
    for (; n && begin && begin + asked * interval / n <= now; asked++) {
      struct viewer *v = &viewers[asked % n];
      v->due = 1;
      if (v->state != kIdle && now > v->asked + kTimeout) fail(v);
      if (v->state == kIdle) go_on(v, asked % n);
      else if (is_counting) late++;
    }
    if (begin && !is_counting && now >= counted) {
      is_counting = 1;
      end = now + (uint64_t)(secs * 1e9);
      cpu = pid ? cpu_seconds(pid) : 0;
      own = own_cpu();
      counted = now;
    }
    if (is_counting && now >= end) break;
    struct epoll_event events[256];
    int ready = epoll_wait(poller, events, 256, n ? 1 : 20);
    for (int i = 0; i < ready; i++) receive(&viewers[events[i].data.u32], events[i].data.u32);
  }
  double measured = (now_ns() - counted) / 1e9;
  own = own_cpu() - own;
  cpu = pid ? cpu_seconds(pid) - cpu : -1;
  uint64_t fewest = n ? UINT64_MAX : 0;
  for (int i = 0; i < n; i++)
    if (viewers[i].segments < fewest) fewest = viewers[i].segments;
  printf("{\"mode\":\"hls\",\"viewers\":%d,\"secs\":%.2f,\"target_s\":%d,\"gbytes\":%.4f,\"mbit_s\":%.1f,\"server_cpu_s\":%.2f,"
         "\"cpu_s_per_gb\":%.3f,\"rss_mb\":%.1f,\"segments\":%lu,\"min_segments\":%lu,\"playlists\":%lu,\"failures\":%lu,"
         "\"missed\":%lu,\"late\":%lu,\"reconnects\":%lu,\"segment_ms_p50\":%.1f,\"segment_ms_p99\":%.1f,"
         "\"playlist_ms_p50\":%.1f,\"playlist_ms_p99\":%.1f,\"client_cpu_s\":%.2f}\n",
         n, measured, (int)target, total / 1e9, total * 8 / 1e6 / measured, cpu, total ? cpu / (total / 1e9) : -1,
         pid ? rss_mb(pid) : -1, segments, fewest, playlists, failures, missed, late, reconnects, percentile(&segment_ms, .5),
         percentile(&segment_ms, .99), percentile(&playlist_ms, .5), percentile(&playlist_ms, .99), own);
  return 0;
}
