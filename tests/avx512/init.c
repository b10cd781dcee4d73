// PID 1 of the emulated machine: runs the program, hands its output and its
// exit status to the host through Bochs' devices and switches the machine off.
//
//   stdout -> parallel port 1, stderr -> parallel port 2 (to files on the host,
//   no baud rate), "INIT" and "EXIT=n" -> serial port 2.
//
// The program's arguments are in /run/args, its extra environment in /run/env
// (both NUL-terminated strings); it runs in /work.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void report(const char *s) {
  for (; *s; s++) {
    for (int i = 0; i < 100000 && !(inb(0x2fd) & 0x20); i++) {
    }
    outb((unsigned char)*s, 0x2f8);
  }
}

static void off(int status) {
  char line[32];
  snprintf(line, sizeof line, "EXIT=%d\n", status);
  report(line);
  for (int i = 0; i < 100000 && !(inb(0x2fd) & 0x40); i++) {
  }
  for (const char *s = "Shutdown"; *s; s++) outb((unsigned char)*s, 0x8900);
  for (;;) pause();
}

static void print(int port, const unsigned char *p, long n) {
  for (long i = 0; i < n; i++) {
    outb(p[i], (unsigned short)port);
    outb(0x0d, (unsigned short)(port + 2));
    outb(0x0c, (unsigned short)(port + 2));
  }
}

static void fail(const char *what) {
  char line[160];
  int n = snprintf(line, sizeof line, "init: %s: %s\n", what, strerror(errno));
  print(0x278, (unsigned char *)line, n);
  off(125);
}

// Reads NUL-terminated strings; returns a NULL-terminated vector.
static char **strings(const char *path) {
  static char buf[2][65536];
  static char *vec[2][1024];
  static int used = 0;
  int k = used++, count = 0;
  int fd = open(path, O_RDONLY);
  long n = fd < 0 ? 0 : read(fd, buf[k], sizeof buf[k] - 1);
  if (fd >= 0) close(fd);
  for (long at = 0; at < n && count < 1023; at += (long)strlen(buf[k] + at) + 1)
    vec[k][count++] = buf[k] + at;
  return vec[k];
}

int main(void) {
  if (iopl(3) != 0) return 1;
  outb(0x80, 0x2fb);  // 115200 8n1
  outb(1, 0x2f8);
  outb(0, 0x2f9);
  outb(3, 0x2fb);
  report("INIT\n");

  mkdir("/dev", 0755);
  mkdir("/proc", 0755);
  mkdir("/tmp", 01777);
  mount("dev", "/dev", "devtmpfs", 0, "");
  mount("proc", "/proc", "proc", 0, "");
  int null = open("/dev/null", O_RDWR);
  if (null < 0) fail("/dev/null");
  while (null < 3) null = dup(null);

  char **args = strings("/run/args");
  char **extra = strings("/run/env");
  if (!args[0]) fail("/run/args");
  clearenv();
  setenv("PATH", "/work", 1);
  setenv("HOME", "/work", 1);
  setenv("TMPDIR", "/tmp", 1);
  for (; *extra; extra++) putenv(*extra);
  if (chdir("/work") != 0) fail("/work");

  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) fail("pipe");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    (void)!iopl(0);
    execv(args[0], args);
    fprintf(stderr, "init: %s: %s\n", args[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
  }
  close(out[1]);
  close(err[1]);

  struct pollfd fds[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  int open_fds = 2;
  static unsigned char buf[65536];
  while (open_fds > 0) {
    if (poll(fds, 2, -1) < 0) continue;
    for (int i = 0; i < 2; i++) {
      if (fds[i].fd < 0 || !fds[i].revents) continue;
      long n = read(fds[i].fd, buf, sizeof buf);
      if (n > 0) {
        print(i ? 0x278 : 0x378, buf, n);
      } else if (n == 0) {
        fds[i].fd = -1;
        open_fds--;
      }
    }
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
  }
  if (WIFSIGNALED(status)) {
    char line[64];
    int n = snprintf(line, sizeof line, "init: killed by signal %d\n", WTERMSIG(status));
    print(0x278, (unsigned char *)line, n);
    off(128 + WTERMSIG(status));
  }
  off(WEXITSTATUS(status));
  return 0;
}
