/// A request's method. Methods are case-sensitive (RFC 3261 7.1); unknown ones keep their text.
package enum SIPMethod: Hashable, Sendable {
    case register
    case message
    case invite
    case ack
    case bye
    case cancel
    case info
    case subscribe
    case notify
    case options
    case other(String)

    package init(_ text: String) {
        switch text {
        case "REGISTER": self = .register
        case "MESSAGE": self = .message
        case "INVITE": self = .invite
        case "ACK": self = .ack
        case "BYE": self = .bye
        case "CANCEL": self = .cancel
        case "INFO": self = .info
        case "SUBSCRIBE": self = .subscribe
        case "NOTIFY": self = .notify
        case "OPTIONS": self = .options
        default: self = .other(text)
        }
    }

    package var text: String {
        switch self {
        case .register: "REGISTER"
        case .message: "MESSAGE"
        case .invite: "INVITE"
        case .ack: "ACK"
        case .bye: "BYE"
        case .cancel: "CANCEL"
        case .info: "INFO"
        case .subscribe: "SUBSCRIBE"
        case .notify: "NOTIFY"
        case .options: "OPTIONS"
        case .other(let text): text
        }
    }
}

/// The value of `CSeq`.
package struct SIPSequence: Hashable, Sendable {
    package var number: UInt32
    package var method: SIPMethod

    package init(_ number: UInt32, _ method: SIPMethod) {
        self.number = number
        self.method = method
    }

    package var headerValue: String { "\(number) \(method.text)" }
}
