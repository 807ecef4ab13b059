package import Media
import NIOCore

// RTSP: packets instead of messages.
extension StreamPublisher {
    /// Says what the stream consists of whose packets are passed on with `forward`. What of it can be converted comes by
    /// `receive` besides.
    /// - Parameters:
    ///   - video: a picture is converted; so is sound with `audio`. Other formats wait for these and for nothing else.
    package func describe(_ description: StreamDescription, video: Bool, audio: Bool) {
        loop.assertInEventLoop()
        guard !isFinished, !gate.isClosed else { return }
        expect(video: video, audio: audio)
        begin(RTPOutput(description.allowingFragments, of: self, isForwarding: true, continuing: continuity))
    }

    /// Passes a packet of a media on to RTSP readers; `receive` afterwards, with an empty list at least, has it sent.
    package func forward(_ packet: RawSpan, media: Int) {
        loop.assertInEventLoop()
        guard !isFinished, !gate.isClosed else { return }
        rtp?.forward(packet, media: media)
    }

    /// A sender report of the publisher's: NTP time in 64 bits, and the RTP time that belongs to it.
    package func takeSenderReport(media: Int, ntp: UInt64, rtpTimestamp: UInt32) {
        rtp?.takeSenderReport(media: media, ntp: ntp, rtpTimestamp: rtpTimestamp)
    }

    /// The tracks of a stream are known that comes as frames.
    func describe() {
        guard rtp == nil, !isReleasing, let description = StreamDescription(video: video, audio: audio) else { return }
        begin(RTPOutput(description, of: self, isForwarding: false, continuing: continuity))
        if let video { rtp?.take(video, isNew: false) }
    }

    private func begin(_ output: RTPOutput) {
        let readers = earlyReaders + (rtp?.readers ?? [])
        rtp = output
        earlyReaders = []
        registry.described(self, output.offer)
        for reader in readers { output.attach(reader, isBeginning: true) }
    }

    /// Parameters have changed, or a track has come late.
    func changeDescription(_ video: VideoParameters? = nil) {
        guard let rtp else {
            if isSettled { describe() }
            return
        }
        let description =
            rtp.isForwarding
            ? video.map { rtp.offer.description.with(parameterSetsOf: $0) } ?? rtp.offer.description
            : StreamDescription(video: self.video, audio: audio)
        if let video { rtp.take(video, isNew: description != rtp.offer.description || continuity != nil) }
        guard let description, description != rtp.offer.description else { return }
        if rtp.change(description) {
            if let video { rtp.take(video, isNew: true) }
            registry.described(self, rtp.offer)
        } else {
            continuity = rtp.continuity
            self.rtp = nil
            earlyReaders = rtp.readers
            describe()
        }
    }

    func attachRTP(_ reader: StreamRegistry.Reader) {
        if let rtp { rtp.attach(reader, isBeginning: false) } else { earlyReaders.append(reader) }
    }

    func detachRTP(_ dispatcher: LoopDispatcher) {
        earlyReaders.removeAll { $0.dispatcher === dispatcher }
        rtp?.detach(dispatcher)
    }

    /// What is cached of the stream, and at which of its frames readers can start.
    func forEachCachedFrame(_ body: (Frame, _ starts: Bool) -> Void) {
        guard let log = logs.first else { return }
        var unpackager = FLVUnpackager()
        var events: [MediaEvent] = []
        var hasHeaders = false
        log.forEachMessage { message, preamble in
            if !hasHeaders, let preamble {
                hasHeaders = true
                for header in preamble.messages { unpackager.receive(header, into: &events) }
            }
            unpackager.receive(message, into: &events)
            for case .frame(let frame) in events { body(frame, preamble != nil) }
            events.removeAll(keepingCapacity: true)
        }
    }
}
