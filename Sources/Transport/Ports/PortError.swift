/// Why no media port could be opened.
package enum PortError: Error, Hashable, Sendable {
    /// Another session of this process holds the port that was asked for.
    case taken(port: Int)
    /// The system refused the port that was asked for; another process has it, or it is not ours to bind.
    case bindFailed(host: String, port: Int, SystemError)
    /// Every port of the range is leased, quarantined or held by other processes.
    case exhausted(first: Int, last: Int, leased: Int, quarantined: Int)
    case notAnAddress(String)
}

extension PortError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .taken(let port):
            "media port \(port) is in use by another session - stop that one or ask for another port"
        case .bindFailed(let host, let port, let error):
            "media port \(host):\(port) could not be opened: \(error) - ask for another port"
        case .exhausted(let first, let last, let leased, let quarantined):
            "no media port left in \(first)-\(last): \(leased) in use, \(quarantined) resting after use"
                + " - widen sip_rtp_port_min and sip_rtp_port_max"
        case .notAnAddress(let text):
            "cannot open a media port on '\(text)': expected a numeric IP address"
        }
    }
}
