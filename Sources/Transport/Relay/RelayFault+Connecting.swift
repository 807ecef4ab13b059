import Glibc
import NIOCore
import NIOPosix

extension RelayFault {
    /// An error of a connection that could not be made, or that broke.
    /// - Parameter attempt: such as `pull rtmp://host:1935/live/x`.
    static func connecting(_ attempt: String, host: String, _ error: any Error) -> RelayFault {
        if let fault = TLSClient.fault(error, host: host) {
            return RelayFault(.connect, "\(attempt): \(fault.description)")
        }
        switch error {
        case let error as NIOConnectionError:
            guard let first = error.connectionErrors.first else {
                return RelayFault(.connect, "\(attempt): the name \(host) cannot be resolved")
            }
            return connecting(attempt, host: host, first.error)
        case let error as IOError:
            return RelayFault(.connect, "\(attempt): \(String(cString: strerror(error.errnoCode)))")
        case ChannelError.connectTimeout:
            return RelayFault(.timeout, "\(attempt): no answer to the TCP connection in time")
        default:
            return RelayFault(.connect, "\(attempt): \(error)")
        }
    }
}
