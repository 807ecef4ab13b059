import Hub
import Media
package import NIOCore
package import NIOHTTP1
package import Streaming

extension HLSService {
    /// Who asks.
    package struct Asker: Sendable {
        /// `host:port`.
        package var remoteAddress: String
        /// Its host alone.
        package var host: String
        package var userAgent: String
        /// Of the request line.
        package var target: String
        /// By HTTPS.
        package var isSecure: Bool
        /// Of the request: most of what is in them is asked for once a viewer.
        package var headers: HTTPHeaders

        /// As the player knows it, who knows this server by the header Host.
        var url: String { "\(isSecure ? "https" : "http")://\(headers.first(name: "host") ?? "")\(target)" }

        /// A browser's media element asks, not a script, and the browser is Chromium.
        var isNativePlayer: Bool {
            ["video", "audio"].contains(headers.first(name: "sec-fetch-dest")) && userAgent.contains("Chrome/")
        }
        /// Without query: where a viewer without session is sent back to.
        var path: Substring { target.prefix { $0 != "?" && $0 != "#" } }
    }

    /// Answers a request, at once or when there is what it waits for.
    ///
    /// - Parameter later: makes what is called once, on the loop, when nothing is returned.
    package func answer(
        _ request: HLSRequest,
        from asker: Asker,
        on loop: any EventLoop,
        later: () -> (HLSReply) -> Void
    ) -> HLSReply? {
        let session: HLSSessions.Entrance
        switch sessions.enter(request, asker, isKnown: isCut(request.stream), now: loop.now) {
        case .failure(let refusal): return refusal.reply
        case .success(let entrance): session = entrance
        }
        let question = Question(
            request: request,
            query: request.childQuery,
            asker: asker,
            arrived: loop.now,
            loop: loop
        )
        if let reply = replyAtHand(question) {
            sessions.count(reply, of: session)
            return reply
        }
        let then = later()
        let bound = NIOLoopBoundBox<((HLSReply) -> Void)?>(
            { [sessions] (reply: HLSReply) in
                sessions.count(reply, of: session)
                then(reply)
            },
            eventLoop: loop
        )
        attempt(Ask(question: question, then: bound))
        return nil
    }

    /// What is there already, as it is nearly always.
    private func replyAtHand(_ question: Question) -> HLSReply? {
        let request = question.request
        let now = question.arrived
        let answer: HLSAnswer?
        switch request.resource {
        case .livePlaylist:
            answer = begin(request.stream, .transportStream, now: now)?.answer(now: now) { playlist($0, question) }
        case .mediaPlaylist:
            answer = begin(request.stream, .fragmentedMP4, now: now)?.answer(now: now) { playlist($0, question) }
        case .media(let name):
            answer = output(of: request.stream, Self.container(name), makes: false, now: now)?
                .answer(now: now) { $0.media(name, arrived: now, now: now) }
        case .multivariantPlaylist, .recordPlaylist:
            answer = nil
        }
        switch answer {
        case .playlist(let text): return .playlist(text)
        case .media(let bytes, let contentType, let cacheSeconds):
            return .media(HLSMedia(bytes: bytes, contentType: contentType, cacheSeconds: cacheSeconds))
        case .refuse, .wait, nil: return nil
        }
    }

    private struct Question: Sendable {
        let request: HLSRequest
        let query: String
        let asker: Asker
        let arrived: NIODeadline
        let loop: any EventLoop
    }

    /// One that is answered later.
    private struct Ask: Sendable {
        let question: Question
        let then: NIOLoopBoundBox<((HLSReply) -> Void)?>

        var request: HLSRequest { question.request }
        var loop: any EventLoop { question.loop }
        var arrived: NIODeadline { question.arrived }

        /// Once: a disk may answer after it was given up.
        func reply(_ reply: HLSReply) {
            let body = then.value
            then.value = nil
            body?(reply)
        }

        /// A disk that hangs holds no connection.
        func giveUpLater() {
            loop.scheduleTask(in: .seconds(10)) {
                reply(.refuse(status: 503, reason: "the disk does not answer; try again"))
            }
        }
    }

    private func attempt(_ ask: Ask) {
        let request = ask.request
        switch request.resource {
        case .livePlaylist:
            playlist(ask, .transportStream)
        case .mediaPlaylist:
            playlist(ask, .fragmentedMP4)
        case .multivariantPlaylist:
            guard let output = output(ask, .fragmentedMP4) else { return }
            let text: (HLSWindow) -> HLSAnswer = { [self] window in
                if let limit = firstPlaylist(window, ask.question) { return .wait(until: limit) }
                let state = window.answer(HLSDirectives(), arrived: ask.arrived, now: ask.loop.now)
                guard case .playlist = state else { return state }
                return .playlist(window.multivariantPlaylist(query: ask.question.query))
            }
            finish(ask, output.answer(now: ask.loop.now, waiter: waiter(for: ask), of: text))
        case .recordPlaylist:
            record(ask)
        case .media(let name):
            media(ask, name)
        }
    }

    private func playlist(_ ask: Ask, _ container: HLSConfiguration.Container) {
        guard let output = output(ask, container) else { return }
        let text: (HLSWindow) -> HLSAnswer = { [self] window in playlist(window, ask.question) }
        finish(ask, output.answer(now: ask.loop.now, waiter: waiter(for: ask), of: text))
    }

    private func playlist(_ window: HLSWindow, _ question: Question) -> HLSAnswer {
        if let limit = firstPlaylist(window, question) { return .wait(until: limit) }
        return window.answer(
            question.request.directives,
            query: question.query,
            arrived: question.arrived,
            now: question.loop.now
        )
    }

    /// Until when a request waits for the first playlist: lal answers 404 until there is a segment, and players give up.
    private func firstPlaylist(_ window: HLSWindow, _ question: Question) -> NIODeadline? {
        guard !window.hasEnded else { return nil }
        if window.isReady, window.closedSegments > 0 {
            let isEnough = window.closedSegments >= Self.segmentsOfNativePlayers || !question.asker.isNativePlayer
            if isEnough { return nil }
        }
        let limit = question.arrived + options.firstPlaylistTime
        return question.loop.now >= limit ? nil : limit
    }

    /// Chromium's own player fails for good on a live list with fewer.
    private static let segmentsOfNativePlayers = 3

    private func record(_ ask: Ask) {
        guard let files = options.files else {
            let reason = "record.m3u8 is kept on a disk only: hls.use_memory_as_disk_flag is on"
            ask.reply(.refuse(status: 404, reason: reason))
            return
        }
        ask.giveUpLater()
        files.record(of: ask.request.stream, query: ask.question.query) { text in
            ask.loop.execute { ask.reply(text.map { .playlist($0) } ?? Self.none) }
        }
    }

    private static var none: HLSReply { .refuse(status: 404, reason: "there is no such file, or no longer") }

    private static func container(_ name: String) -> HLSConfiguration.Container {
        name.utf8.reversed().starts(with: "st.".utf8) ? .transportStream : .fragmentedMP4
    }

    private func media(_ ask: Ask, _ name: String) {
        let container = Self.container(name)
        let output = output(of: ask.request.stream, container, makes: false, now: ask.loop.now)
        let file: (HLSWindow) -> HLSAnswer = { $0.media(name, arrived: ask.arrived, now: ask.loop.now) }
        let answer: HLSAnswer? =
            if let output {
                output.answer(now: ask.loop.now, waiter: waiter(for: ask), of: file)
            } else {
                .refuse(status: 404, reason: "there is no such file, or no longer")
            }
        if container == .transportStream, case .refuse(status: 404, _) = answer, let files = options.files {
            ask.giveUpLater()
            files.read(name, stream: ask.request.stream) { bytes in
                ask.loop.execute {
                    let media = bytes.map { HLSMedia(bytes: $0, contentType: "video/mp2t", cacheSeconds: 0) }
                    ask.reply(media.map { .media($0) } ?? Self.none)
                }
            }
        } else {
            finish(ask, answer)
        }
    }

    /// - Returns: nil when the request is refused, or waits for a publisher.
    private func output(_ ask: Ask, _ container: HLSConfiguration.Container) -> HLSOutput? {
        if let output = begin(ask.request.stream, container, now: ask.loop.now) { return output }
        if options.budget.isSpent {
            let reason = "HLS holds \(options.budget.bytes >> 20) MB, all that hls.memory_total_max_mb allows"
            ask.reply(.refuse(status: 503, reason: reason + ": stream \(ask.request.stream) is not cut"))
            return nil
        }
        // A pull on demand, which this viewer has started, may bring the stream.
        let limit = ask.arrived + options.firstPlaylistTime
        guard ask.loop.now < limit, sessions.isExpected(ask.request.stream) else {
            ask.reply(.refuse(status: 404, reason: "stream \(ask.request.stream) is not published"))
            return nil
        }
        ask.loop.scheduleTask(in: .milliseconds(250)) { [self] in attempt(ask) }
        return nil
    }

    private func waiter(for ask: Ask) -> (NIODeadline) -> HLSOutput.Waiter {
        { [self] deadline in HLSOutput.Waiter(loop: ask.loop, deadline: deadline) { [self] in attempt(ask) } }
    }

    private func finish(_ ask: Ask, _ answer: HLSAnswer?) {
        switch answer {
        case .playlist(let text): ask.reply(.playlist(text))
        case .media(let bytes, let contentType, let cacheSeconds):
            ask.reply(.media(HLSMedia(bytes: bytes, contentType: contentType, cacheSeconds: cacheSeconds)))
        case .refuse(let status, let reason): ask.reply(.refuse(status: status, reason: reason))
        case .wait, nil: break
        }
    }
}
