import Foundation

/// What one picture element of a page did for two seconds.
struct Watched: Decodable, CustomStringConvertible {
    var error: String
    /// The median of twenty looks: at the live edge it is 2 for a moment now and then.
    var readyState: Int
    var paused: Bool
    var width: Int
    var height: Int
    /// Of `currentTime`, in seconds.
    var advanced: Double
    /// Shown, of `getVideoPlaybackQuality`.
    var frames: Int
    /// The mean, 0 to 255.
    var light: Double
    /// Whether the picture looked different at the end.
    var changed: Bool

    /// Why nobody would say that it plays; empty: it plays.
    var faults: [String] {
        var faults: [String] = []
        if !error.isEmpty { faults.append("error \(error)") }
        if readyState < 3 { faults.append("readyState \(readyState)") }
        if paused { faults.append("paused") }
        if !(1.2...3.5).contains(advanced) { faults.append("advanced \(advanced) s in 2 s") }
        if frames <= 30 { faults.append("\(frames) frames in 2 s") }
        if !(20...235).contains(light) { faults.append("light \(light)") }
        if !changed { faults.append("the picture stands still") }
        return faults
    }

    var description: String { "\(width)x\(height): \(faults.isEmpty ? "plays" : faults.joined(separator: ", "))" }
}

extension DrivenPage {
    /// Watches every `<video>` below a selector at once, for two seconds.
    func watch(_ selector: String = "body") async throws -> [Watched] {
        let videos = "[...document.querySelectorAll('\(selector) video')]"
        return try await evaluate(
            """
            Promise.all(\(videos).map(async video => {
              const look = () => {
                const canvas = document.createElement('canvas');
                canvas.width = 64; canvas.height = 36;
                const pen = canvas.getContext('2d');
                pen.drawImage(video, 0, 0, 64, 36);
                return pen.getImageData(0, 0, 64, 36).data;
              };
              const shown = () => { const q = video.getVideoPlaybackQuality(); return q.totalVideoFrames - q.droppedVideoFrames; };
              const first = look(), from = video.currentTime, frames = shown();
              const ready = [];
              for (const end = performance.now() + 2000; performance.now() < end;) {
                await new Promise(done => setTimeout(done, 100));
                ready.push(video.readyState);
              }
              const last = look();
              let light = 0, different = 0;
              for (let i = 0; i < last.length; i += 4) { light += last[i + 1]; different += Math.abs(last[i + 1] - first[i + 1]) > 8; }
              return {
                error: video.error ? video.error.code + ' ' + video.error.message : '', readyState: ready.sort()[ready.length >> 1],
                paused: video.paused, width: video.videoWidth, height: video.videoHeight, advanced: video.currentTime - from,
                frames: shown() - frames, light: light / (last.length / 4), changed: different > 5,
              };
            }))
            """
        )
    }

    /// Puts a player of a stream on the page, which is one of the console's origin: `player` is its name there.
    func play(_ url: String, options: String = "{}") async throws {
        try await run(
            """
            const { Player } = await import('/player.js');
            const stage = document.createElement('div');
            stage.id = 'stage';
            stage.style.cssText = 'position:fixed;inset:0;z-index:99';
            document.body.append(stage);
            globalThis.player = new Player(stage, '\(url)', \(options));
            """
        )
    }
}

extension DrivenBrowser {
    /// What is wrong besides what Chromium itself says of an answer that is no success.
    var complaints: [String] {
        problems.filter { !$0.contains("Failed to load resource") && !$0.contains("WebSocket") }
    }
}
