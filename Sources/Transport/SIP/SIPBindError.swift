internal import Glibc

/// A SIP port that could not be opened.
package struct SIPBindError: Error, Equatable, Sendable, CustomStringConvertible {
    package var transport: String
    package var host: String
    package var port: Int
    /// errno, or 0 where the host is no address.
    package var errorCode: Int32

    package var description: String {
        let what = "listen for SIP on \(transport) \(host):\(port)"
        return switch errorCode {
        case 0: "\(what): expected a numeric address of this machine - correct local_sip_ip"
        case EADDRINUSE: "\(what): another program has the port - stop it or set another local_sip_port"
        case EADDRNOTAVAIL: "\(what): this machine has no such address - correct local_sip_ip"
        case EACCES: "\(what): not permitted - ports below 1024 need CAP_NET_BIND_SERVICE"
        default: "\(what): \(String(cString: strerror(errorCode)))"
        }
    }
}
