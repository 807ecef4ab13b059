package import SIP

/// Where a SIP socket's messages go.
///
/// Every call is made on the socket's event loop, and none from within `send`, `markKnown` or `disconnect`: an actor
/// pinned to that loop may take them with `assumeIsolated` and answer at once.
package protocol SIPSocketDelegate: AnyObject {
    func receive(_ message: SIPMessage, on flow: SIPFlow)
    /// A TCP connection is gone, from whichever side. Comes once for each accepted connection, and nothing of it after.
    func flowClosed(_ flow: SIPFlow)
    /// Something came that is no SIP message.
    ///
    /// - Parameter prefix: the first bytes of the datagram or segment, at most 64.
    func parseFailed(_ reason: String, on flow: SIPFlow, prefix: [UInt8])
}
