package import SIP
package import Wire

/// Names a media session for as long as the process lives.
package struct MediaSessionID: Hashable, Sendable, CustomStringConvertible {
    package let number: UInt64

    package init(number: UInt64) {
        self.number = number
    }

    package var description: String { "session \(number)" }
}

/// What a stream is asked with. The port must be open already: cameras send before their answer arrives.
package struct InviteRequest: Equatable, Sendable {
    package var deviceID: String
    package var channelID: String
    /// Address and port that the device can reach.
    package var mediaHost: String
    package var mediaPort: UInt16
    package var transport: MediaTransport
    package var ssrc: SSRC
    package var purpose: MediaOffer.Purpose
    /// Nil: the main stream, which devices send unasked.
    package var streamSelection: SessionDescription.Attribute?

    package init(
        deviceID: String,
        channelID: String,
        mediaHost: String,
        mediaPort: UInt16,
        transport: MediaTransport,
        ssrc: SSRC,
        purpose: MediaOffer.Purpose = .play,
        streamSelection: SessionDescription.Attribute? = nil
    ) {
        self.deviceID = deviceID
        self.channelID = channelID
        self.mediaHost = mediaHost
        self.mediaPort = mediaPort
        self.transport = transport
        self.ssrc = ssrc
        self.purpose = purpose
        self.streamSelection = streamSelection
    }
}

/// What became of a wish for a stream.
package enum InviteOutcome: Equatable, Sendable {
    /// INVITE is on its way; `inviteAnswered` or `inviteFailed` will follow.
    case started(MediaSessionID)
    /// The channel is being invited or streams already: this wish counts as one more reference on that session.
    /// The port of this request is not used.
    case joined(MediaSessionID, isStreaming: Bool)
    case refused(InviteFailure)
}

/// Why there is no stream.
package struct InviteFailure: Error, Equatable, Sendable {
    package enum Kind: String, Equatable, Sendable {
        case deviceUnknown
        case deviceOffline
        case tooManySessions
        /// No answer in time.
        case timeout
        /// A final answer of 300 and above.
        case rejected
        /// A 200 whose SDP cannot be used.
        case badAnswer
        /// The TCP connection broke.
        case connectionClosed
        /// Released while it was being invited.
        case cancelled
    }

    package var kind: Kind
    package var status: Int?
    package var phrase: String?
    /// The peer's Warning header field.
    package var warning: String?
    /// Who was asked for what.
    package var subject: String
    /// For people: everything the peer said, and what it was offered.
    package var reason: String

    package init(
        kind: Kind,
        status: Int? = nil,
        phrase: String? = nil,
        warning: String? = nil,
        subject: String = "",
        reason: String
    ) {
        self.kind = kind
        self.status = status
        self.phrase = phrase
        self.warning = warning
        self.subject = subject
        self.reason = reason
    }

    package var text: String { subject.isEmpty ? reason : "\(subject): \(reason)" }
}

/// A dialog that must not be forgotten: after a crash it is ended with BYE, or the NVR keeps its session for ever.
package struct StoredDialog: Equatable, Sendable, Codable {
    package var deviceID: String
    package var channelID: String
    package var dialog: SIPDialog

    package init(deviceID: String, channelID: String, dialog: SIPDialog) {
        self.deviceID = deviceID
        self.channelID = channelID
        self.dialog = dialog
    }
}
