package import NIOCore
import Synchronization

#if TLS
import NIOPosix
import NIOSSL
#endif

/// The certificate of a listener: a PEM file with the chain, the server's own first, and one with its key.
///
/// A renewed certificate is used without a restart: the files are looked at again when a connection comes, at the most every
/// `checkInterval`, and read on a thread of their own. A new pair that is of no use is reported once, and the old one stays.
package final class TLSCertificate: Sendable {
    /// What became of files that have changed, and what the operator should know of them.
    package enum Event: Hashable, Sendable {
        case renewed(notAfter: Int64)
        /// The new files are of no use; the old ones stay in use.
        case refused(TLSFault)
    }

    package static let checkInterval = TimeAmount.seconds(10)

    package let certificateFile: String
    package let keyFile: String
    private let onEvent: @Sendable (Event) -> Void

    /// What the operator should know of the certificate's end; nil when that is far.
    package func warning(atUnixSecond now: Int64) -> String? {
        let left = notAfter - now
        guard left > 0 else {
            return "the certificate in \(certificateFile) has expired: players will refuse it, renew it"
        }
        guard left < 14 * 86400 else { return nil }
        return "the certificate in \(certificateFile) expires in \(left / 86400) days: renew it"
    }

    #if TLS
    private struct State {
        var pair: TLSKeyPair
        /// Of the files that were tried last, whether they were of use or not.
        var stamp: [TLSFile.Stamp]
        var nextCheck: NIODeadline
    }

    private let state: Mutex<State>

    /// Reads the files: blocks.
    /// - Parameter onEvent: called on a thread of its own.
    package init(
        certificateFile: String,
        keyFile: String,
        onEvent: @escaping @Sendable (Event) -> Void = { _ in }
    ) throws(TLSFault) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.onEvent = onEvent
        let (pair, stamp) = try TLSKeyPair.read(certificateFile: certificateFile, keyFile: keyFile)
        state = Mutex(State(pair: pair, stamp: stamp, nextCheck: .now() + Self.checkInterval))
    }

    /// When the certificate in use ceases to be valid, in seconds since 1970.
    package var notAfter: Int64 { state.withLock { $0.pair.notAfter } }

    /// Puts TLS in front of a new connection's handlers. On its event loop, before any other handler is added.
    /// - Parameter handshakeTimeout: a peer that has not finished its handshake by then is disconnected.
    func secure(_ channel: any Channel, handshakeTimeout: TimeAmount) throws {
        checkFiles()
        let context = state.withLock { $0.pair.context }
        try channel.pipeline.syncOperations.addHandlers([
            NIOSSLServerHandler(context: context), TLSHandshakeDeadline(after: handshakeTimeout),
        ])
    }

    private func checkFiles() {
        let now = NIODeadline.now()
        let isDue = state.withLock { state in
            guard now >= state.nextCheck else { return false }
            state.nextCheck = now + Self.checkInterval
            return true
        }
        guard isDue else { return }
        NIOThreadPool.singleton.submit { [self] _ in reload() }
    }

    /// Reads the files if they have changed: blocks.
    func reload() {
        let known = state.withLock { $0.stamp }
        guard let stamp = TLSKeyPair.stamp(certificateFile: certificateFile, keyFile: keyFile), stamp != known else {
            // A file that is missing for the moment is being replaced.
            return
        }
        do throws(TLSFault) {
            let (pair, stamp) = try TLSKeyPair.read(certificateFile: certificateFile, keyFile: keyFile)
            state.withLock {
                $0.pair = pair
                $0.stamp = stamp
            }
            onEvent(.renewed(notAfter: pair.notAfter))
        } catch {
            state.withLock { $0.stamp = stamp }
            onEvent(.refused(error))
        }
    }
    #else
    package init(
        certificateFile: String,
        keyFile: String,
        onEvent: @escaping @Sendable (Event) -> Void = { _ in }
    ) throws(TLSFault) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.onEvent = onEvent
        throw .leftOut
    }

    package var notAfter: Int64 { .max }

    func secure(_ channel: any Channel, handshakeTimeout: TimeAmount) throws {
        throw TLSFault.leftOut
    }
    #endif
}
