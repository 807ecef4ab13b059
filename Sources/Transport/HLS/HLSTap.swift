import Hub
import Media
import NIOCore

/// Feeds a publication to an output.
final class HLSTap: StreamTap {
    let output: HLSOutput
    private let publication: Int
    private let loop: any EventLoop

    init(_ output: HLSOutput, publication: Int, on loop: any EventLoop) {
        self.output = output
        self.publication = publication
        self.loop = loop
    }

    func receive(_ event: MediaEvent, startsGOP: Bool) {
        output.receive(event, startsGOP: startsGOP, publication: publication, now: loop.now)
    }

    func finish() {
        output.interrupt(publication: publication, now: loop.now)
    }
}
