internal import Hub
internal import Logging
internal import NIOCore

/// PS ports that the API opened without SIP (`start_rtp_pub`).
actor RTPPublications {
    private let media: MediaService
    private let logger: Logger
    private let advertisedHost: String
    private var publications: [String: Publication] = [:]
    private var lastNumber = 0
    /// Being opened, and why the media ended before that was done.
    private var opening: [Int: MediaEnd?] = [:]

    private struct Publication {
        /// Tells it from an earlier one of the same stream.
        let number: Int
        let handle: MediaHandle
    }

    init(media: MediaService, advertisedHost: String, logger: Logger) {
        self.media = media
        self.advertisedHost = advertisedHost
        self.logger = logger
    }

    func start(_ request: StartRTPPubRequest, now: WallTime) async throws -> RTPPubStarted {
        guard (0...65_535).contains(request.port) else {
            throw ControlError.rtpPubFailed("address \(request.port): invalid port")
        }
        // lal names the stream after the session where none is given; a stream without a name could not be addressed.
        let stream = request.streamName.isEmpty ? "rtp_\(now.unixMilliseconds)" : request.streamName
        lastNumber += 1
        let number = lastNumber
        let wanted = MediaRequest(
            stream: stream,
            transport: request.isTCPFlag == 0 ? .udp : .tcpPassive,
            port: request.port,
            advertisedHost: advertisedHost,
            ssrc: request.ssrc,
            timeout: request.timeoutMs < 1000 ? nil : .milliseconds(Int64(request.timeoutMs)),
            countsSilenceAtOnce: true,
            onEnd: { [weak self] end in
                guard let self else { return }
                Task { await self.ended(stream, number, end) }
            }
        )
        do {
            opening[number] = .some(nil)
            defer { opening[number] = nil }
            let handle = try await media.open(wanted)
            do {
                if !request.debugDumpPacket.isEmpty { _ = try await media.dump(handle, enable: true, now: now) }
                if case .some(.some(let end)) = opening[number] {
                    throw ControlError.rtpPubFailed("start_rtp_pub \(stream): \(end.text)")
                }
            } catch {
                handle.close()
                throw error
            }
            publications[stream] = Publication(number: number, handle: handle)
            return RTPPubStarted(streamName: stream, sessionID: handle.id, port: handle.port)
        } catch let error as ControlError {
            throw error
        } catch {
            throw ControlError.rtpPubFailed("start_rtp_pub \(stream): \(error)")
        }
    }

    /// Afterwards the stream's name is free.
    func stop(_ target: RTPPubTarget) async throws -> RTPPubStopped {
        let found = publications.first { stream, publication in
            switch target {
            case .stream(let name): stream == name
            case .session(let id): publication.handle.id == id
            }
        }
        guard let (stream, publication) = found else {
            if case .stream = target { throw ControlError.groupNotFound }
            throw ControlError.sessionNotFound
        }
        publications[stream] = nil
        publication.handle.close()
        await publication.handle.settled()
        return RTPPubStopped(streamName: stream, sessionID: publication.handle.id)
    }

    func handle(ofStream stream: String) -> MediaHandle? { publications[stream]?.handle }

    private func ended(_ stream: String, _ number: Int, _ end: MediaEnd) {
        if opening[number] != nil {
            opening[number] = .some(end)
            return
        }
        guard let publication = publications[stream], publication.number == number else { return }
        publications[stream] = nil
        publication.handle.close()
        logger.info(
            "rtp publication \(stream) ended",
            metadata: ["session": "\(publication.handle.id)", "why": "\(end.text)"]
        )
    }
}
