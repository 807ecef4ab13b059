/// A refusal of the control interface: lal's code and a text that an operator can act on.
package struct ControlError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The stable code of the answer's `error_code`.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: Int

        package init(rawValue: Int) {
            self.rawValue = rawValue
        }

        package static let unauthorized = Code(rawValue: 401)
        package static let pageNotFound = Code(rawValue: 404)
        package static let internalError = Code(rawValue: 500)
        package static let groupNotFound = Code(rawValue: 1001)
        package static let paramMissing = Code(rawValue: 1002)
        package static let sessionNotFound = Code(rawValue: 1003)
        package static let relayPullFailed = Code(rawValue: 2001)
        package static let rtpPubFailed = Code(rawValue: 2002)
        package static let relayFailed = Code(rawValue: 2003)
        package static let stopRelayFailed = Code(rawValue: 2004)
        package static let recordFailed = Code(rawValue: 2101)
        package static let recordNotFound = Code(rawValue: 2102)
        package static let snapshotFailed = Code(rawValue: 2103)
        package static let deviceNotFound = Code(rawValue: 3001)
        package static let inviteFailed = Code(rawValue: 3002)
        package static let byeFailed = Code(rawValue: 3003)
    }

    package let code: Code
    /// lal's text where lal has one; else what was attempted, on whom, what came instead, what to do. Never a secret.
    package let desp: String
    /// What lal's fixed texts do not say, as a member of its own in the answer; empty = left out.
    package let hint: String

    package init(_ code: Code, _ desp: String, hint: String = "") {
        self.code = code
        self.desp = desp
        self.hint = hint
    }

    package var description: String {
        hint.isEmpty ? "\(code.rawValue) \(desp)" : "\(code.rawValue) \(desp) (\(hint))"
    }
}

extension ControlError {
    package static let pageNotFound = ControlError(
        .pageNotFound,
        "page not found, check this document out: lal"
    )
    package static let groupNotFound = ControlError(.groupNotFound, "group not found")
    package static let paramMissing = ControlError(.paramMissing, "param missing")
    package static let sessionNotFound = ControlError(.sessionNotFound, "session not found")

    /// 1002 whose hint says which parameter and why.
    package static func paramMissing(_ why: String) -> ControlError {
        ControlError(.paramMissing, paramMissing.desp, hint: why)
    }

    package static func rtpPubFailed(_ why: String) -> ControlError {
        ControlError(.rtpPubFailed, why)
    }

    package static func recordNotFound(_ id: Int64) -> ControlError {
        ControlError(.recordNotFound, "record file \(id) not found")
    }

    package static func deviceNotFound(_ deviceID: String) -> ControlError {
        ControlError(.deviceNotFound, "device not found: \(deviceID)")
    }

    /// 3002 for what ended an invitation before or without an answer of the camera.
    package static func inviteFailed(_ why: String) -> ControlError {
        ControlError(.inviteFailed, "invite fail: \(why)")
    }

    /// 3002 for a camera's final answer: the SIP status and phrase survive, `facts` says what was offered and what to do.
    package static func inviteFailed(
        channelID: String,
        sipStatus: Int,
        phrase: String,
        facts: String = ""
    ) -> ControlError {
        let tail = facts.isEmpty ? "" : " (\(facts))"
        return inviteFailed("invite \(channelID): \(sipStatus) \(phrase)\(tail)")
    }

    package static func byeFailed(_ why: String) -> ControlError {
        ControlError(.byeFailed, "bye fail: \(why)")
    }
}
