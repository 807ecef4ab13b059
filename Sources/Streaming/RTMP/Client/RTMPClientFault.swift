/// Why a connection of ours to another RTMP server is over. Its texts hold what the server said, without what follows a `?`: servers
/// repeat URLs and their secrets.
package enum RTMPClientFault: Error, Hashable, Sendable {
    /// The time limit up to the acceptance is over; the step that was not answered.
    case timeout(step: String)
    /// The server accepted, and then no media came for the time that is allowed.
    case silence
    /// The server asks for a user and a password, or does not take the ones of the URL.
    case unauthorized(String)
    /// Its code and description.
    case refused(code: String, description: String)
    /// The server sends us to another one, which is not followed. The host alone: the URL may hold secrets.
    case redirected(host: String)
    /// The server ended the stream, with the code and description that it gave.
    case ended(code: String, description: String)
    /// The server does not keep to the protocol.
    case broken(RTMPFault)

    package var explanation: String {
        switch self {
        case .timeout(let step): "no answer to \(step) in time"
        case .silence: "no media for too long"
        case .unauthorized(let text): text
        case .refused(let code, let description), .ended(let code, let description):
            Self.text(code, description)
        case .redirected(let host):
            "the server redirects to \(host), which is not followed: name that server in the URL"
        case .broken(let fault): fault.explanation
        }
    }

    private static func text(_ code: String, _ description: String) -> String {
        let description = withoutQueries(description)
        guard !code.isEmpty else { return description.isEmpty ? "no reason given" : description }
        return description.isEmpty ? code : "\(code) (\(description))"
    }

    /// At most 200 printable characters, each word up to its `?`.
    static func withoutQueries(_ text: String) -> String {
        let words = text.prefix(400).split(separator: " ").map { word in
            word.firstIndex(of: "?").map { "\(word[..<$0])?…" } ?? String(word)
        }
        let scalars = words.joined(separator: " ").unicodeScalars.filter { $0.properties.generalCategory != .control }
        return String(String(String.UnicodeScalarView(scalars)).prefix(200))
    }
}
