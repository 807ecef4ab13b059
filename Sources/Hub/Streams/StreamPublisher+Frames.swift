package import Media
package import NIOCore

/// Takes what a stream consists of, on the event loop of its publisher: recordings, HLS. Nothing that it does may block.
package protocol StreamTap: AnyObject {
    /// In order; parameters come before the first frame that needs them. The times of frames go on where an earlier publisher
    /// of the stream stopped.
    /// - Parameter startsGOP: one can begin at this frame: a key frame, or of sound alone a frame every second.
    func receive(_ event: MediaEvent, startsGOP: Bool)
    /// The publisher has left, or the tap was taken off.
    func finish()
}

/// Of which stream, and of whom, a tap is to be made.
package struct TappedStream: Sendable {
    package var stream: String
    package var app: String
    package var session: SessionInfo
    /// Greater than that of any publication of the stream before.
    package var publication: Int
}

// MPEG-TS, fMP4, and taps: what takes frames.
extension StreamPublisher {
    func attachOutput(_ reader: StreamRegistry.Reader) {
        frameReaders.append(reader)
        if isSettled { connectOutput(reader, isBeginning: false) }
    }

    func detachOutput(_ dispatcher: LoopDispatcher, _ format: WireFormat) {
        frameReaders.removeAll { $0.dispatcher === dispatcher && $0.format == format }
        for output in outputs where output.format == format {
            output.log.readers.removeAll { $0.dispatcher === dispatcher }
        }
        outputs.removeAll { $0.log.readers.isEmpty }
    }

    /// The tracks are known.
    func beginOutputs() {
        for reader in frameReaders { connectOutput(reader, isBeginning: true) }
    }

    private func connectOutput(_ reader: StreamRegistry.Reader, isBeginning: Bool) {
        if let codec = video?.codec, !reader.format.canCarry(codec) {
            refuse(reader, codec)
            return
        }
        var output = outputs.first { $0.format == reader.format }
        if output == nil {
            let fresh = FrameOutput(reader.format, of: self)
            outputs.append(fresh)
            output = fresh
        }
        output?.attach(reader, isBeginning: isBeginning)
    }

    private func refuse(_ reader: StreamRegistry.Reader, _ codec: VideoCodec) {
        reader.dispatcher.deliver([
            .unsupported(stream: stream, format: reader.format, publication: number, codec)
        ])
    }

    /// Tells those who take frames of parameters or metadata.
    func tellOutputs(_ event: MediaEvent, isOtherCodec: Bool) {
        for tap in taps { tap.receive(event, startsGOP: false) }
        guard !outputs.isEmpty else { return }
        if let codec = video?.codec {
            for output in outputs where !output.format.canCarry(codec) {
                for reader in output.log.readers { refuse(reader, codec) }
            }
            outputs.removeAll { !$0.format.canCarry(codec) }
        }
        for output in outputs { output.take(event, isOtherCodec: isOtherCodec) }
    }

    func appendToOutputs(_ frame: Frame, startsGOP: Bool) {
        for output in outputs { output.append(frame, startsGOP: startsGOP) }
        for tap in taps { tap.receive(.frame(frame), startsGOP: startsGOP) }
    }

    /// Adds a tap, which first gets what is cached.
    func add(_ tap: any StreamTap) {
        taps.append(tap)
        guard isSettled else { return }
        if let video { tap.receive(.video(video), startsGOP: false) }
        if let audio { tap.receive(.audio(audio), startsGOP: false) }
        // Of a group that is cached in part the rest is missing.
        guard !isPaused else { return }
        forEachCachedFrame { tap.receive(.frame($0), startsGOP: $1) }
    }

    func removeTaps(_ isMeant: (any StreamTap) -> Bool) {
        let leaving = taps.filter(isMeant)
        taps.removeAll(where: isMeant)
        for tap in leaving { tap.finish() }
    }

    var tapped: TappedStream { TappedStream(stream: stream, app: app, session: session, publication: number) }
}

extension Hub {
    /// Adds a tap to a stream that is published.
    /// - Parameter make: called on the publisher's loop; nil: none is added after all.
    /// - Returns: false when nobody publishes the stream.
    @discardableResult
    package func tap(
        _ stream: String,
        _ make: @escaping @Sendable (TappedStream, any EventLoop) -> (any StreamTap)?
    ) -> Bool {
        guard let publication = registry.publication(of: stream) else { return false }
        publication.run { publisher in
            guard !publisher.isFinished, !publisher.gate.isClosed, let tap = make(publisher.tapped, publisher.loop)
            else { return }
            publisher.add(tap)
        }
        return true
    }

    /// Counts a viewer that has no connection of its own, as of HLS: pulls on demand start for it.
    package func enter(viewer session: SessionInfo, of stream: String) throws(HubError) {
        try registry.enterViewer(session, stream: stream, app: "", format: nil)
    }

    package func leave(viewer session: SessionInfo, of stream: String, bytes: ByteMeter) {
        registry.viewerLeft(stream, session, bytes: bytes)
    }

    /// Takes taps off a stream: each is told `finish()`.
    package func removeTaps(of stream: String, where isMeant: @escaping @Sendable (any StreamTap) -> Bool) {
        registry.publication(of: stream)?.run { $0.removeTaps(isMeant) }
    }
}
