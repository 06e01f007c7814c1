#ifndef CSOCKETS_H
#define CSOCKETS_H

// What Swift cannot call: a macro-heavy or GNU-only interface, each as a plain function. No system header is included
// here, since that would reach every Swift file that imports this module.

/// Reads SO_PEERCRED. 0, or -1 with errno set.
int csockets_peer(int descriptor, unsigned int *uid, unsigned int *gid, int *pid);

/// Reads SO_PEERGROUPS. The number of groups, or -1 with errno set; ERANGE where there are more than `capacity`.
int csockets_peer_groups(int descriptor, unsigned int *groups, int capacity);

/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC. The descriptor, or -1 with errno set.
int csockets_accept(int listener);

#endif
