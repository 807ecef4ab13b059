import Foundation
import Synchronization

/// A Chromium without a window that a test drives as a user does, by the DevTools protocol over two pipes.
final class DrivenBrowser: DrivenPage {
    let process: DevToolsProcess
    private let session: String
    private let agent: String
    private let seen = Mutex(Seen())
    /// Each browser keeps its profile to itself.
    private let folder: TemporaryFolder

    private struct Seen {
        var problems: [String] = []
        var drag: Data?
    }

    /// Runs a test in a browser that is gone afterwards, whatever the test does.
    static func run<Result>(
        width: Int = 1280,
        height: Int = 800,
        _ body: (DrivenBrowser) async throws -> Result
    ) async throws -> Result {
        guard let path = Browser.installed else { throw NeverHappened(what: "a browser") }
        let folder = try TemporaryFolder()
        let process = try DevToolsProcess(path, folder: folder.path)
        do {
            let browser = try await DrivenBrowser(process, folder)
            try await browser.viewport(width: width, height: height)
            let result = try await body(browser)
            await process.end()
            return result
        } catch {
            await process.end()
            throw error
        }
    }

    private init(_ process: DevToolsProcess, _ folder: TemporaryFolder) async throws {
        struct Version: Decodable { var userAgent: String }
        struct Target: Decodable { var targetId: String }
        struct Session: Decodable { var sessionId: String }
        self.process = process
        self.folder = folder
        let version: Version = try await process.ask("Browser.getVersion")
        agent = version.userAgent
        let target: Target = try await process.ask("Target.createTarget", ["url": "about:blank"])
        let attached: Session = try await process.ask(
            "Target.attachToTarget",
            ["targetId": .text(target.targetId), "flatten": true]
        )
        session = attached.sessionId
        process.onEvent { [weak self] in self?.received($0, $1) }
        for domain in ["Page", "Runtime", "Log"] { try await tell("\(domain).enable") }
        try await tell("Input.setInterceptDrags", ["enabled": true])
    }

    /// Errors and warnings on the console, and exceptions that nobody caught, since the start.
    var problems: [String] { seen.withLock { $0.problems } }

    private func received(_ method: String, _ message: Data) {
        if method == "Input.dragIntercepted" {
            seen.withLock { $0.drag = message }
        } else if let problem = DevToolsProblem.text(method, message) {
            seen.withLock { $0.problems.append(problem) }
        }
    }

    // What a user does

    /// Opens a page and waits until it is loaded.
    func open(_ url: String) async throws {
        struct Navigation: Decodable { var errorText: String? }
        let navigation: Navigation = try await process.ask("Page.navigate", ["url": .text(url)], session: session)
        if let error = navigation.errorText { throw NeverHappened(what: "\(url): \(error)") }
        try await wait(until: "document.readyState === 'complete'")
    }

    /// - Parameters:
    ///   - mobile: a telephone, with touch.
    ///   - scale: dots of the screen for a pixel of the page.
    func viewport(width: Int, height: Int, mobile: Bool = false, scale: Double = 1) async throws {
        let size: [String: Parameter] = [
            "width": .number(Double(width)), "height": .number(Double(height)), "deviceScaleFactor": .number(scale),
            "mobile": .truth(mobile),
        ]
        try await tell("Emulation.setDeviceMetricsOverride", size)
        try await tell("Emulation.setTouchEmulationEnabled", ["enabled": .truth(mobile)])
    }

    /// `light` or `dark`, as the user's system prefers it.
    func prefer(colorScheme: String) async throws {
        let feature: Parameter = ["name": "prefers-color-scheme", "value": .text(colorScheme)]
        try await tell("Emulation.setEmulatedMedia", ["features": .list([feature])])
    }

    /// The user's language, for pages opened from now on.
    func prefer(language: String) async throws {
        try await tell(
            "Emulation.setUserAgentOverride",
            ["userAgent": .text(agent), "acceptLanguage": .text(language)]
        )
    }

    /// A key by its name: `Enter`, `ArrowLeft`, `a`.
    func press(_ key: String) async throws {
        var event: [String: Parameter] = ["key": .text(key), "code": .text(DevToolsKey.code(key))]
        event["windowsVirtualKeyCode"] = .number(Double(DevToolsKey.number(key)))
        var down = event
        let text = DevToolsKey.text(key)
        down["type"] = text.isEmpty ? "rawKeyDown" : "keyDown"
        if !text.isEmpty { down["text"] = .text(text) }
        try await tell("Input.dispatchKeyEvent", down)
        event["type"] = "keyUp"
        try await tell("Input.dispatchKeyEvent", event)
    }

    /// Text into what has the focus.
    func type(_ text: String) async throws {
        try await tell("Input.insertText", ["text": .text(text)])
    }

    func click(_ point: PagePoint, count: Int) async throws {
        try await mouse("mouseMoved", point, buttons: 0)
        for number in 1...count {
            try await mouse("mousePressed", point, buttons: 1, clicks: number)
            try await mouse("mouseReleased", point, buttons: 0, clicks: number)
        }
    }

    func move(to point: PagePoint) async throws {
        try await mouse("mouseMoved", point, buttons: 0)
    }

    /// Presses, moves and lets go; where the page has draggable elements, what is dragged is dropped.
    func drag(from start: PagePoint, to end: PagePoint) async throws {
        seen.withLock { $0.drag = nil }
        try await mouse("mouseMoved", start, buttons: 0)
        try await mouse("mousePressed", start, buttons: 1, clicks: 1)
        for step in 1...8 {
            let share = Double(step) / 8
            let point = PagePoint(x: start.x + (end.x - start.x) * share, y: start.y + (end.y - start.y) * share)
            // A drag that begins holds the answer back until it is over.
            try await mouse("mouseMoved", point, buttons: 1)
        }
        if let message = seen.withLock({ $0.drag }) {
            let intercepted = try JSONDecoder().decode(DevToolsEvent<Dragged>.self, from: message)
            for type in ["dragEnter", "dragOver", "drop"] {
                try await tell(
                    "Input.dispatchDragEvent",
                    ["type": .text(type), "x": .number(end.x), "y": .number(end.y), "data": intercepted.params.data]
                )
            }
        }
        try await mouse("mouseReleased", end, buttons: 0, clicks: 1)
    }

    private struct Dragged: Decodable { var data: Parameter }

    private func mouse(_ type: String, _ point: PagePoint, buttons: Double, clicks: Int = 0) async throws {
        let isMove = type == "mouseMoved"
        try await tell(
            "Input.dispatchMouseEvent",
            [
                "type": .text(type), "x": .number(point.x), "y": .number(point.y), "buttons": .number(buttons),
                "button": isMove && buttons == 0 ? "none" : "left", "clickCount": .number(Double(clicks)),
            ]
        )
    }

    // What a test asks

    /// The value of an expression, awaited where it is a promise.
    func evaluate<Value: Decodable>(_ expression: String, as type: Value.Type) async throws -> Value {
        let answer: Evaluation<Value> = try await process.ask(
            "Runtime.evaluate",
            Self.evaluation(expression),
            session: session
        )
        if let exception = answer.exception { throw PageException(text: exception.text) }
        guard let value = answer.value else { throw PageException(text: "\(expression) has no value") }
        return value
    }

    private static func evaluation(_ expression: String) -> [String: Parameter] {
        // As of a user's gesture: sound and full screen need one.
        ["expression": .text(expression), "awaitPromise": true, "returnByValue": true, "userGesture": true]
    }

    /// For what never happens.
    var report: String { "problems: \(problems); browser: \(process.errors.suffix(300))" }

    var isRunning: Bool { process.isRunning }

    /// The page as it looks, as PNG.
    func screenshot() async throws -> Data {
        try await screenshot(["format": "png"])
    }

    /// The same as JPEG, for what has pictures of cameras in it.
    func photograph(quality: Double) async throws -> Data {
        try await screenshot(["format": "jpeg", "quality": .number(quality)])
    }

    private func screenshot(_ form: [String: Parameter]) async throws -> Data {
        struct Picture: Decodable { var data: Data }
        let picture: Picture = try await process.ask("Page.captureScreenshot", form, session: session)
        return picture.data
    }

    private func tell(_ method: String, _ parameters: [String: Parameter] = [:]) async throws {
        struct Nothing: Decodable {}
        let _: Nothing = try await process.ask(method, parameters, session: session)
    }

    typealias Parameter = DevToolsParameter
}

private struct Evaluation<Value: Decodable>: Decodable {
    struct Result: Decodable {
        var value: Value?
    }
    var value: Value?
    var exception: DevToolsException?

    /// What was thrown stands where the value would, and is of another type.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        exception = try container.decodeIfPresent(DevToolsException.self, forKey: .exceptionDetails)
        if exception == nil { value = try container.decode(Result.self, forKey: .result).value }
    }

    private enum CodingKeys: String, CodingKey {
        case result
        case exceptionDetails
    }
}
