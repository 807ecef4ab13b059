package import Media

/// Waits for a key frame of a stream, the one that is cached or the next.
private final class KeyFrameTap: StreamTap {
    private var video: VideoParameters?
    let number: Int
    private let found: @Sendable (VideoParameters, Frame) -> Void

    init(_ number: Int, _ found: @escaping @Sendable (VideoParameters, Frame) -> Void) {
        self.number = number
        self.found = found
    }

    func receive(_ event: MediaEvent, startsGOP: Bool) {
        switch event {
        case .video(let parameters): video = parameters
        case .frame(let frame) where frame.track == .video && frame.isKey:
            if let video { found(video, frame) }
        case .frame, .audio, .metadata: break
        }
    }

    func finish() {}
}

extension Hub {
    /// The newest key frame of a stream, or the next one when none is cached.
    /// - Returns: nil when nobody publishes the stream, or none came within the time.
    package func keyFrame(of stream: String, within limit: Duration) async -> (VideoParameters, Frame)? {
        let (frames, found) = AsyncStream<(VideoParameters, Frame)>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let number = registry.nextIdentifier()
        let isTapped = tap(stream) { _, _ in
            KeyFrameTap(number) { found.yield(($0, $1)) }
        }
        guard isTapped else { return nil }
        defer { removeTaps(of: stream) { ($0 as? KeyFrameTap)?.number == number } }
        return await withTaskGroup(of: (VideoParameters, Frame)?.self) { tasks in
            tasks.addTask {
                for await frame in frames { return frame }
                return nil
            }
            tasks.addTask {
                try? await Task.sleep(for: limit)
                return nil
            }
            let first = await tasks.next() ?? nil
            tasks.cancelAll()
            return first
        }
    }
}
