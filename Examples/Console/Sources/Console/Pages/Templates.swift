import Foundation
import Mustache

/// The HTML templates of the pages, from `Resources/Templates`.
struct Templates: Sendable {
    private let library: MustacheLibrary

    /// - Throws: if a template cannot be read or parsed.
    init(folder: URL) throws {
        MustacheContentTypes.register(Markup(), named: Markup.name)
        var templates: [String: MustacheTemplate] = [:]
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        where file.pathExtension == "mustache" {
            // Set the escape in each template: a partial starts with Mustache's own escape.
            let text = try "{{% CONTENT_TYPE:\(Markup.name)}}" + String(contentsOf: file, encoding: .utf8)
            templates[file.deletingPathExtension().lastPathComponent] = try MustacheTemplate(string: text)
        }
        library = MustacheLibrary(templates: templates)
    }

    func render(_ name: String, _ values: [String: Any]) throws -> String {
        guard let page = library.render(values, withTemplate: name) else {
            throw ResourceFault("there is no template \(name)")
        }
        return page
    }
}
