import Hub
import Media
import NIOCore

/// Feeds a publication to an output.
final class HLSTap: StreamTap {
    let output: HLSOutput
    private let id: Int
    private let loop: any EventLoop

    init(_ output: HLSOutput, id: Int, on loop: any EventLoop) {
        self.output = output
        self.id = id
        self.loop = loop
    }

    func receive(_ event: MediaEvent, startsGOP: Bool) {
        output.receive(event, startsGOP: startsGOP, tap: id, now: loop.now)
    }

    func finish() {
        output.interrupt(tap: id, now: loop.now)
    }
}
