/// Why a connection of ours to another RTSP server is over. Its texts hold what the server said, without what follows a `?`.
package enum RTSPClientFault: Error, Hashable, Sendable {
    /// The time limit up to the acceptance is over; the step that was not answered.
    case timeout(step: String)
    /// No media for the time that is allowed.
    case silence
    /// The server asks for a user and a password, or does not take the ones of the URL.
    case unauthorized(String)
    /// Its status and reason.
    case refused(step: String, code: Int, reason: String)
    /// A redirect that is not followed, with the reason.
    case redirected(String)
    /// The answer cannot be used, and why.
    case unusable(step: String, String)
    /// The server ended the stream.
    case ended(String)
    /// The server does not keep to the protocol.
    case broken(RTSPFault)

    package var explanation: String {
        switch self {
        case .timeout(let step): "no answer to \(step) in time"
        case .silence: "no media for too long"
        case .unauthorized(let text): text
        case .refused(let step, let code, let reason):
            "\(step) was answered with \(code)" + (reason.isEmpty ? "" : " \(RTMPClientFault.withoutQueries(reason))")
        case .redirected(let text): text
        case .unusable(let step, let text): "\(step): \(text)"
        case .ended(let text): text
        case .broken(let fault): fault.explanation
        }
    }
}
