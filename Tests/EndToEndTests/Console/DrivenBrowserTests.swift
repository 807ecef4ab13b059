import Foundation
import Synchronization
import Testing

/// The judge of the web console is judged itself.
@Suite(
    .timeLimit(.minutes(2)),
    .enabled(if: Browser.installed != nil, "chromium-headless-shell is missing")
)
struct DrivenBrowserTests {
    private static func page(_ html: String) -> String {
        "data:text/html;charset=utf-8," + (html.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
    }

    @Test func evaluatesPromisesAndTellsOfExceptions() async throws {
        try await DrivenBrowser.run { browser in
            try await browser.open(Self.page("<title>one</title>"))
            #expect(try await browser.evaluate("document.title") == "one")
            let later: [Int] = try await browser.evaluate(
                "new Promise(done => setTimeout(() => done([1, 2, 3]), 20))"
            )
            #expect(later == [1, 2, 3])
            let exception = await #expect(throws: PageException.self) {
                try await browser.evaluate("Promise.reject(new Error('no such thing'))", as: Int.self)
            }
            #expect(exception?.text.contains("no such thing") == true)
            #expect(browser.problems.isEmpty)
            await #expect(throws: NeverHappened.self) {
                try await browser.wait(until: "document.title === 'two'", limit: .milliseconds(200))
            }
        }
    }

    @Test func noticesWhatAPageDoesWrong() async throws {
        try await DrivenBrowser.run { browser in
            try await browser.open(
                Self.page(
                    """
                    <script>
                    console.log('fine');
                    console.error('bad', 7);
                    console.warn('odd');
                    setTimeout(() => { throw new Error('uncaught') });
                    fetch('http://127.0.0.1:9/').catch(() => document.title = 'over');
                    </script>
                    """
                )
            )
            try await browser.wait(until: "document.title === 'over'")
            try await wait(for: "all four") { browser.problems.count >= 4 }
            let all = browser.problems.joined(separator: "\n")
            for text in ["console.error: bad", "console.warning: odd", "uncaught", "127.0.0.1:9"] {
                #expect(all.contains(text), "\(all)")
            }
            #expect(browser.problems.count == 4, "\(all)")
        }
    }

    @Test func picturesHaveTheSizeThatWasAskedFor() async throws {
        try await DrivenBrowser.run(width: 640, height: 360) { browser in
            try await browser.prefer(language: "zh-CN")
            try await browser.prefer(colorScheme: "dark")
            try await browser.open(Self.page("<meta name=viewport content='width=device-width'>"))
            #expect(Self.size(try await browser.screenshot()) == [640, 360])
            #expect(try await browser.evaluate("navigator.language") == "zh-CN")
            #expect(try await browser.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == true)
            try await browser.viewport(width: 390, height: 844, mobile: true)
            #expect(Self.size(try await browser.screenshot()) == [390, 844])
            #expect(try await browser.evaluate("matchMedia('(pointer: coarse)').matches") == true)
        }
    }

    /// Width and height out of IHDR; nil for what is no PNG.
    private static func size(_ png: Data) -> [Int]? {
        let bytes = [UInt8](png)
        guard bytes.count > 24, bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) else { return nil }
        return [16, 20].map { bytes[$0..<$0 + 4].reduce(0) { $0 << 8 | Int($1) } }
    }

    @Test func keysAndMouseReachThePage() async throws {
        try await DrivenBrowser.run { browser in
            try await browser.open(
                Self.page(
                    """
                    <input id=text><button id=button>x</button>
                    <div id=item draggable=true style='width:50px;height:50px'>i</div>
                    <div id=target style='width:90px;height:90px'>t</div>
                    <canvas id=pad width=200 height=100></canvas>
                    <script>
                    seen = { keys: [], clicks: 0, doubles: 0, dropped: '', moves: 0 };
                    addEventListener('keydown', event => seen.keys.push(event.key + ' ' + event.code));
                    button.onclick = () => seen.clicks++;
                    button.ondblclick = () => seen.doubles++;
                    item.ondragstart = event => event.dataTransfer.setData('text/plain', 'camera');
                    target.ondragover = event => event.preventDefault();
                    target.ondrop = event => { event.preventDefault(); seen.dropped = event.dataTransfer.getData('text/plain') };
                    pad.onpointermove = event => { if (event.buttons === 1) seen.moves++ };
                    </script>
                    """
                )
            )
            try await browser.click("#text")
            try await browser.type("大门 1")
            try await browser.press("a")
            try await browser.press("Escape")
            #expect(try await browser.evaluate("document.getElementById('text').value") == "大门 1a")
            #expect(try await browser.evaluate("seen.keys") == ["a KeyA", "Escape Escape"])
            try await browser.click("#button")
            #expect(try await browser.evaluate("[seen.clicks, seen.doubles]") == [1, 0])
            try await browser.click("#button", count: 2)
            #expect(try await browser.evaluate("[seen.clicks, seen.doubles]") == [3, 1])
            try await browser.drag(from: browser.place(of: "#item"), to: browser.place(of: "#target"))
            #expect(try await browser.evaluate("seen.dropped") == "camera")
            let pad = try await browser.place(of: "#pad")
            try await browser.drag(from: pad, to: .init(x: pad.x + 40, y: pad.y + 20))
            #expect(try await browser.evaluate("seen.moves > 3") == true)
            #expect(browser.problems.isEmpty, "\(browser.problems)")
        }
    }

    @Test func aClickWaitsForWhatIsNotThereYetAndSaysWhatIsInItsWay() async throws {
        try await DrivenBrowser.run { browser in
            try await browser.open(
                Self.page(
                    """
                    <button id=late hidden>late</button><button id=never hidden>never</button>
                    <button id=under style='position:absolute;left:0;top:300px'>under</button>
                    <div id=cover style='position:absolute;left:0;top:250px;width:400px;height:200px'></div>
                    <script>
                    clicks = 0;
                    late.onclick = () => clicks++;
                    setTimeout(() => {
                      late.hidden = false;
                      let left = 0;
                      const move = () => { late.style.marginLeft = (left += 20) + 'px'; if (left < 400) setTimeout(move, 15) };
                      move();
                    }, 300);
                    </script>
                    """
                )
            )
            try await browser.click("#late")
            #expect(try await browser.evaluate("clicks") == 1)
            for (selector, why) in [("#never", "not shown"), ("#under", "covered by"), ("#nobody", "there is no")] {
                let refusal = await #expect(throws: PageException.self) { try await browser.click(selector) }
                #expect(refusal?.text.contains(why) == true, "\(String(describing: refusal))")
            }
        }
    }

    @Test func theBrowserIsGoneAfterwards() async throws {
        let process = try await DrivenBrowser.run { $0.process }
        #expect(!process.isRunning)
        await #expect(throws: NeverHappened.self) {
            let _: [String: Bool] = try await process.ask("Browser.getVersion")
        }
        let failed = Mutex<DevToolsProcess?>(nil)
        await #expect(throws: PageException.self) {
            try await DrivenBrowser.run { browser in
                failed.withLock { $0 = browser.process }
                throw PageException(text: "the test fails")
            }
        }
        #expect(failed.withLock { $0 }?.isRunning == false)
    }
}
