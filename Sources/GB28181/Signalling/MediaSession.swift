internal import NIOCore
internal import SIP
internal import Wire

/// What makes two wishes one session.
struct SessionKey: Hashable {
    var deviceID: String
    var channelID: String
    var purpose: MediaOffer.Purpose
    var streamSelection: SessionDescription.Attribute?

    init(_ request: InviteRequest) {
        deviceID = request.deviceID
        channelID = request.channelID
        purpose = request.purpose
        streamSelection = request.streamSelection
    }
}

/// One stream that a device is asked for.
struct MediaSession {
    enum State {
        /// INVITE is out.
        case calling
        /// Between two tries: until `retryAt`, or until the device has a new flow.
        case waiting
        case streaming
    }

    let number: UInt64
    let request: InviteRequest
    let slot: Int
    var state = State.calling
    var references = 1
    var invite: SIPRequest?
    var client: SIPClientTransactionID?
    var flow: SIPFlow?
    var giveUpAt: NIODeadline
    var retryAt: NIODeadline?
    var hasProvisional = false
    /// One try on a fresh flow, one after a refusal that may pass.
    var hasReinvited = false
    var hasRetried = false
    var onlyPS = false
    var dialog: SIPDialog?
    var answer: MediaAnswer?
    var startedAt: Int64?

    var id: MediaSessionID { MediaSessionID(number: number) }
    var isCalling: Bool { state != .streaming }
}

/// A session as the API shows it.
package struct MediaSessionSummary: Equatable, Sendable {
    package var id: MediaSessionID
    package var request: InviteRequest
    package var isStreaming: Bool
    package var references: Int
    /// Nil until the device has answered.
    package var answer: MediaAnswer?
    package var callID: String?
    /// Milliseconds since 1970; nil until the device has answered.
    package var startedAt: Int64?

    init(_ session: MediaSession) {
        id = session.id
        request = session.request
        isStreaming = !session.isCalling
        references = session.references
        answer = session.answer
        callID = session.dialog?.callID
        startedAt = session.startedAt
    }
}

/// A dialog that is to end. BYE is repeated until somebody answers it: a lost one leaves a camera streaming for ever.
struct Farewell {
    static let maximumAttempts = 6
    static let patience = TimeAmount.hours(24)

    var stored: StoredDialog
    var attempts = 0
    var client: SIPClientTransactionID?
    let since: NIODeadline
}
