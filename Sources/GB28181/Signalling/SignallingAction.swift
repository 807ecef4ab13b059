package import SIP

/// What the signalling core wants its driver to do or to know, in this order.
package enum SignallingAction: Equatable, Sendable {
    case send([UInt8], SIPFlow)
    /// A registered device uses this TCP connection: it may stay idle and send large messages.
    case flowTrusted(SIPFlow)
    case deviceOnline(deviceID: String, OnlineReason)
    case deviceOffline(deviceID: String, OfflineReason)
    /// Name, maker, address or the like changed.
    case deviceChanged(deviceID: String)
    /// Channels changed; incomplete where parts of the catalog are missing.
    case catalogUpdated(deviceID: String, isComplete: Bool)
    /// The camera will send: where from, how, and with which SSRC.
    case inviteAnswered(MediaSessionID, MediaAnswer)
    /// The session is over before it began.
    case inviteFailed(MediaSessionID, InviteFailure)
    /// The session is over: give its port back.
    case sessionEnded(MediaSessionID, SessionEnd)
    case alarm(deviceID: String, Alarm)
    /// Store the device (`SignallingCore.device`); coalesce as you like.
    case persistDevice(deviceID: String)
    case persistDialog(StoredDialog)
    case forgetDialog(callID: String)
    /// `key` groups texts of one kind for rate limiting.
    case log(SignallingLogLevel, key: String, String)
}

package enum SignallingLogLevel: String, Equatable, Sendable {
    case debug, info, notice, warning, error
}

package enum OnlineReason: Equatable, Sendable {
    case registered
    /// It spoke again from its last address, without a new registration (after a restart of ours, or a silence).
    case traffic
}

package enum OfflineReason: String, Equatable, Sendable {
    /// It said goodbye: REGISTER with Expires 0.
    case unregistered
    /// Nothing came for three intervals.
    case silent
    case connectionClosed
    /// The operator removed it.
    case removed
}

package enum SessionEnd: String, Equatable, Sendable {
    /// Nobody wants it any more.
    case released
    /// The operator or a timeout of ours ended it.
    case stopped
    case deviceBye
    case deviceOffline
    /// MediaStatus 121: the recording was played to its end.
    case finished
}
