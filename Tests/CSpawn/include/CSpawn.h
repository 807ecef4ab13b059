#pragma once

#include <spawn.h>

/// glibc's additions to posix_spawn, which Swift's module of it leaves out. Each returns 0 or an errno.

/// Closes every descriptor from `first` on.
int spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/// Runs the program in `folder`.
int spawn_in_folder(posix_spawn_file_actions_t *actions, const char *folder);
