internal import Hub
internal import Media
internal import NIOCore
internal import Recording

/// Feeds a publication to a recorder, on the publisher's loop.
final class RecordingTap: StreamTap {
    private static let interval = TimeAmount.milliseconds(500)

    private let recorder: Recorder
    private var timer: RepeatedTask?

    init(_ recorder: Recorder, on loop: any EventLoop) {
        self.recorder = recorder
        let bound = NIOLoopBound(recorder, eventLoop: loop)
        timer = loop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) { _ in
            bound.value.tick()
        }
    }

    var id: RecordingID { recorder.id }

    func receive(_ event: MediaEvent, startsGOP: Bool) {
        guard !recorder.isFinished else { return }
        recorder.receive(event, startsGOP: startsGOP)
    }

    func finish() {
        timer?.cancel()
        timer = nil
        if !recorder.isFinished { recorder.finish() }
    }
}
