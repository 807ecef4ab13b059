package import Media

/// What happens to a session's sockets.
package enum MediaReceiverEvent: Equatable, Sendable {
    /// A media connection is there: the camera's, or ours to the camera.
    case connected(RTPSource)
    /// The media connection is gone; the port stays open for the camera to come back.
    case disconnected(RTPSource, MediaDisconnect)
    /// Nobody came back within 5 s: end the session.
    case abandoned
    /// Every try to connect to the camera failed; one line each.
    case connectFailed([String])
    /// A sender cannot be understood, told once for each connection or port; the text says what to do.
    case unusable(RTPSource, RTPStreamFailure, String)
}

/// What a session's sockets have seen, for the API and for error texts.
package struct MediaReceiverStatistics: Equatable, Sendable {
    /// Packets of any kind and sender, and their bytes; 0 after a media timeout means that a firewall or a wrong media
    /// address is between the camera and us.
    package var packets = 0
    package var bytes = 0
    package var kernelDrops = 0
    package var reportsSent = 0
    /// TCP: connections accepted or made, and those that were turned away because another one was alive.
    package var connections = 0
    package var turnedAway = 0
    /// TCP: how the camera frames its packets, and how often the frames were lost and found again.
    package var framing: RTPStreamFraming?
    package var resynchronisations = 0
    package var skippedBytes = 0
    /// Who sent last.
    package var lastSource: RTPSource?
}

/// How a session gets its media.
package enum MediaTransport: String, Hashable, Sendable {
    case udp
    /// The camera connects to us.
    case tcpPassive
    /// We connect to the camera.
    case tcpActive
}
