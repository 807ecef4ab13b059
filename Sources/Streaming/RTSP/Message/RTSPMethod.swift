/// The method of a request (RFC 2326 section 10); others are possible and answered with 501.
package struct RTSPMethod: RawRepresentable, Hashable, Sendable {
    package let rawValue: String

    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    private init(_ name: StaticString) {
        rawValue = "\(name)"
    }

    package static let options = RTSPMethod("OPTIONS")
    package static let describe = RTSPMethod("DESCRIBE")
    package static let announce = RTSPMethod("ANNOUNCE")
    package static let setup = RTSPMethod("SETUP")
    package static let play = RTSPMethod("PLAY")
    package static let pause = RTSPMethod("PAUSE")
    package static let record = RTSPMethod("RECORD")
    package static let teardown = RTSPMethod("TEARDOWN")
    package static let getParameter = RTSPMethod("GET_PARAMETER")
    package static let setParameter = RTSPMethod("SET_PARAMETER")

    /// What this server does, as `Public` lists it.
    package static let supported: [RTSPMethod] = [
        .options, .describe, .announce, .setup, .play, .pause, .record, .teardown, .getParameter, .setParameter,
    ]

    static func list(_ methods: [RTSPMethod]) -> String {
        methods.map(\.rawValue).joined(separator: ", ")
    }
}
