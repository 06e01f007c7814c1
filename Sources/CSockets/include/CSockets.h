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

/// Sends bytes, at least one, and a descriptor with the first of them (SCM_RIGHTS, unix(7)); does not wait. The number of
/// bytes sent, which may be less than `count`, or -1 with errno set.
long csockets_send_descriptor(int socket, const void *bytes, long count, int descriptor);

/// Receives bytes, and up to `capacity` descriptors that came with them, which children do not inherit. The number of
/// bytes, 0 at the end, or -1 with errno set. `received` is the number of descriptors; -1 where some were lost, because
/// this process may have no more (MSG_CTRUNC): then those that did come are closed.
long csockets_receive(int socket, void *bytes, long count, int *descriptors, int capacity, int *received);

/// Bytes on their way that the peer has not read, with the kernel's own around them (SIOCOUTQ); -1 with errno set.
int csockets_unread(int socket);

#endif
